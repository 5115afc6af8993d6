"""Write one of the NUGGETS tables from the measured values: ours with their spread over seeds, the paper's beside.

Tables 1 to 3 follow the paper; `table_baselines`, `table_selection_quality` and `table_racing` go beyond it.
"""

from __future__ import annotations

from typing import Callable, Sequence

from scripts.common.artifacts import Table, table_step
from scripts.common.errors import run_step
from scripts.common.measured import NOT_MEASURED, Measured
from scripts.common.tables import Cell, Column, Missing
from scripts.nuggets.benchmarks import GRADE, LIKELIHOOD, WIN_RATE
from scripts.nuggets.comparison import Comparison
from scripts.nuggets.golden_files import effect_notes
from scripts.selection.methods import method_label

NO_SUBSET = "The model as it is: not fine-tuned."
SCORE_LABELS = {
    "golden_score": "golden score",
    "mean_gain": "mean gain in log-likelihood",
    "perplexity": "perplexity",
    "ifd": "instruction-following difficulty",
    "length": "answer length",
}


def _by_group(
    measured: Measured,
    settings: Comparison,
    benchmark: str,
    metric: str,
    whole: Sequence[str],
    extras: Sequence[tuple[str, str, str, str]],
) -> tuple[list[dict[str, Cell]], list[Column]]:
    """Return rows and columns of a table with one row per method and one column per group.

    whole: settings that stand last, the sums of the others. extras: (key, header, setting, metric) of further columns.
    """
    groups = [name for name in measured.settings_of(metric) if name not in whole] + list(whole)
    parts = [(group, group.replace("_", " "), group, metric) for group in groups] + list(extras)
    columns = [Column("subset", "Subset")]
    for key, header, _, name in parts:
        places = 0 if name in ("answer_length_chars", "n_examples") else 2
        columns.append(Column(key, header, "number" if name == "n_examples" else "spread", decimals=places))
    for key, header, setting, name in parts:
        places = 0 if name in ("answer_length_chars", "n_examples") else 2
        if measured.prints(setting, name):
            columns.append(Column(f"{key}_published", header, "published", decimals=places))
    rows = []
    for method in settings.show["methods"]:
        row: dict[str, Cell] = {"subset": method_label(method)}
        for key, _, setting, name in parts:
            if name == "n_examples":
                row[key] = _size(measured, settings, method)
            else:
                row[key] = measured.cell(setting, method, name, experiment=settings.experiment(benchmark, method))
            if any(column.key == f"{key}_published" for column in columns):
                row[f"{key}_published"] = measured.published_value(setting, method, name)
        rows.append(row)
    return rows, columns


def _size(measured: Measured, settings: Comparison, method: str, anchors: str | None = None) -> Cell:
    """Return how many examples a subset has."""
    name = settings.experiment("subset", method, anchors)
    return measured.number("pool", method, "n_examples", experiment=name, otherwise=NO_SUBSET)


def table_1(measured: Measured, settings: Comparison) -> Table:
    """Return Table 1: AlpacaEval win rate per group and over all, and the length of the answers."""
    extras = [
        ("answer_length", "Answer length (characters)", "all", "answer_length_chars"),
        ("n_examples", "Examples", "pool", "n_examples"),
    ]
    rows, columns = _by_group(measured, settings, "alpaca_eval", WIN_RATE, ("all",), extras)
    caption = f"NUGGETS, Table 1: AlpacaEval win rate in % by group, {settings.model} fine-tuned on each subset"
    return Table(rows, columns, caption, measured.published_note(settings.model, settings.dataset))


def table_2(measured: Measured, settings: Comparison) -> Table:
    """Return Table 2: MT-Bench grade per category, per turn and over all."""
    whole = [name for name in ("turn_1", "turn_2") if name in measured.settings_of(GRADE)] + ["overall"]
    rows, columns = _by_group(measured, settings, "mt_bench", GRADE, whole, [])
    caption = f"NUGGETS, Table 2: MT-Bench grade (1 to 10) by category, {settings.model} fine-tuned on each subset"
    return Table(rows, columns, caption, measured.published_note(settings.model, settings.dataset))


def table_3(measured: Measured, settings: Comparison) -> Table:
    """Return Table 3: AlpacaEval win rate by anchor set and threshold; the paper's own anchor sets are shown whole."""
    ours = settings.show["anchor_sets"]
    paper = list(dict.fromkeys(row["experiment"].partition("/")[2] for row in measured.published))
    columns = [Column("subset", "Subset")]
    columns += [Column(name, method_label(name), "spread", unit="%") for name in ours]
    columns += [Column(f"{name}_n", f"Examples, {method_label(name)}", "number", decimals=0) for name in ours]
    columns += [Column(f"{name}_published", method_label(name), "published", unit="%") for name in paper]
    rows = []
    for method in settings.show["methods"]:
        row: dict[str, Cell] = {"subset": method_label(method)}
        for name in ours:
            row[name] = measured.cell(
                "all", method, WIN_RATE, experiment=settings.experiment("alpaca_eval", method, name)
            )
            row[f"{name}_n"] = _size(measured, settings, method, name)
        for name in paper:
            where = settings.experiment("alpaca_eval", method, name)
            row[f"{name}_published"] = measured.published_value("all", method, WIN_RATE, experiment=where)
        rows.append(row)
    caption = f"NUGGETS, Table 3: AlpacaEval win rate in % by anchor set and threshold, {settings.model}"
    return Table(rows, columns, caption, measured.published_note(settings.model, settings.dataset))


def table_baselines(measured: Measured, settings: Comparison) -> Table:
    """Return the comparison of NUGGETS with other ways of choosing a subset (beyond the paper)."""
    spread_columns = [
        (Column("exact_match", "Exact match", "spread", decimals=3), "all", "exact_match"),
        (Column("rouge_l", "ROUGE-L", "spread", decimals=3), "all", "rouge_l"),
        (
            Column("loglik", "Reference log-likelihood", "spread", unit="nats per token", decimals=3),
            "all",
            LIKELIHOOD,
        ),
        (Column("win_rate", "AlpacaEval win rate", "spread", unit="%"), "all", WIN_RATE),
        (Column("mt_bench", "MT-Bench grade", "spread", unit="1 to 10"), "overall", GRADE),
        (
            Column("answer_length", "Answer length", "spread", unit="characters", decimals=0),
            "all",
            "answer_length_chars",
        ),
    ]
    columns = [Column("subset", "Subset"), Column("n_examples", "Examples", "number", decimals=0)]
    columns += [column for column, _, _ in spread_columns]
    no_reference = "The benchmark has no reference answers."
    rows = []
    for method in settings.show["methods"]:
        row: dict[str, Cell] = {"subset": method_label(method)}
        row["n_examples"] = _size(measured, settings, method)
        for column, setting, metric in spread_columns:
            reason = NOT_MEASURED if metric in (WIN_RATE, GRADE, "answer_length_chars") else no_reference
            name = settings.experiment("mt_bench" if metric == GRADE else "alpaca_eval", method)
            row[column.key] = measured.cell(setting, method, metric, experiment=name, otherwise=reason)
        rows.append(row)
    caption = f"NUGGETS and other ways of choosing a subset of {settings.dataset}, {settings.model} fine-tuned on each"
    notes = ["Exact match, ROUGE-L (F1) and log-likelihood are against AlpacaEval's reference answers."]
    return Table(rows, columns, caption, notes)


def table_selection_quality(measured: Measured, settings: Comparison) -> Table:
    """Return how well each score separates known good from known bad examples (beyond the paper)."""
    faults = [name for name in measured.settings_of("auc") if name.startswith("fault_")]
    columns = [
        Column("score", "Score"),
        Column("auc", "AUC", "number", decimals=3),
        Column("auc_standard_error", "Standard error", "number", decimals=3),
    ]
    for setting, header in (("k_known_good", "known good"), ("k_subset_size", "subset size")):
        k = measured.count(setting, "precision_at_k")
        columns.append(Column(setting, f"Precision at {k or 'k'} ({header})", "number", decimals=3))
    columns += [
        Column(name, f"AUC against fault '{name[len('fault_') :].replace('_', ' ')}'", "number", decimals=3)
        for name in faults
    ]
    rows = []
    further = sorted({row["method"] for row in measured.rows} - set(SCORE_LABELS))
    labels = {name: f"golden score, {method_label(name[len('golden_score_') :])}" for name in further}
    for score, label in {**SCORE_LABELS, **labels}.items():
        row: dict[str, Cell] = {"score": label}
        for metric in ("auc", "auc_standard_error"):
            row[metric] = measured.number("all", score, metric)
        for setting in ("k_known_good", "k_subset_size"):
            row[setting] = measured.number(setting, score, "precision_at_k")
        row.update({name: measured.number(name, score, "auc") for name in faults})
        rows.append(row)
    notes = [
        f"{labels.get(r['method']) or SCORE_LABELS[r['method']]}: only {r['n']} examples can be chosen by it, so its"
        " precision is theirs."
        for r in measured.rows
        if r["metric"] == "precision_at_k" and int(r["n"]) < (measured.count(r["setting"], "precision_at_k") or 0)
    ]
    caption = f"How well each score tells good from bad examples of {settings.dataset} (scored by {settings.model})"
    total, good = measured.count("all", "auc"), measured.count("k_known_good", "precision_at_k")
    if total and good:
        notes.append(
            f"{good} of {total} examples are known to be good, so chance has AUC 0.5 and precision {good / total:.3f}."
            " The standard error (DeLong) is over examples, not over seeds."
        )
    return Table(rows, columns, caption, notes)


def table_released_counts(measured: Measured, settings: Comparison) -> Table:
    """Return the released golden scores at the thresholds, beside the published counts of the score curve."""
    where = settings.show["dataset"]
    none = Missing("No golden scores were released for this pool.")
    counts = {row["method"]: float(row["value"]) for row in measured.published if row["setting"] != where}
    highest = measured.number(where, "highest", "golden_score") if where else none
    columns = [
        Column("threshold", "Score of at most", "number", decimals=2),
        Column("released", "Released examples", "number", decimals=0),
        Column("all_published", "Examples of the score curve", "published", decimals=0),
    ]
    rows: list[dict[str, Cell]] = []
    for threshold in settings.show["thresholds"]:
        method = f"le_{threshold:g}"
        cell: Cell = highest
        if not isinstance(highest, Missing):
            cell = measured.number(where, method, "n_examples")
            if threshold > highest:
                cell = Missing(f"The released file ends at a score of {highest:g}.")
        rows.append({"threshold": float(threshold), "released": cell, "all_published": counts.get(method)})
    notes = []
    if not isinstance(highest, Missing):
        spread = {name: measured.number(where, name, "golden_score") for name in ("lowest", "mean", "median")}
        told = ", ".join(f"{name} {value:.3f}" for name, value in spread.items() if not isinstance(value, Missing))
        notes.append(
            f"The {measured.count(where, 'golden_score'):,} released scores: {told}, highest {highest:.3f}; anchors"
            f" {method_label(settings.show['anchors'])}. The score curve's counts agree with those of Table 1, whose"
            " values are Table 3's for 1,000 random anchors: another anchor set."
        )
    return Table(rows, columns, "NUGGETS: the released golden scores beside the published score curve", notes)


def table_racing(measured: Measured, settings: Comparison) -> Table:
    """Return what exact early stopping saves at each threshold (beyond the paper)."""
    columns = [
        Column("threshold", "Threshold", "number", decimals=2),
        Column("saved", "Anchor evaluations saved", "number", unit="%", decimals=1),
        Column("same", "Decisions unchanged", "number", unit="%", decimals=1),
    ]
    rows: list[dict[str, Cell]] = []
    for threshold in settings.show["thresholds"]:
        row: dict[str, Cell] = {"threshold": float(threshold)}
        for key, metric in (("saved", "saved_share"), ("same", "same_decisions_share")):
            value = measured.number(f"threshold_{threshold:g}", "racing", metric)
            row[key] = value if isinstance(value, Missing) else 100 * value
        rows.append(row)
    caption = f"Exact early stopping on {settings.dataset} with {settings.anchors}, scored by {settings.model}"
    notes = ["Replayed on the whole score matrix: a candidate stops once its side of the threshold is certain."]
    notes += effect_notes(measured.rows)
    return Table(rows, columns, caption, notes)


BUILDERS: dict[str, Callable[[Measured, Comparison], Table]] = {
    "table_1": table_1,
    "table_2": table_2,
    "table_3": table_3,
    "table_baselines": table_baselines,
    "table_selection_quality": table_selection_quality,
    "table_racing": table_racing,
    "table_released_counts": table_released_counts,
}


def main(argv: Sequence[str] | None = None) -> None:
    """Write one table."""
    table_step(argv, __doc__, BUILDERS, Comparison)


if __name__ == "__main__":
    run_step(main)
