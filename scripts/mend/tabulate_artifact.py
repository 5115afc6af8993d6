"""Write one of the MEND tables from measured values: ours with their spread over seeds, published values beside.

Tables 2 to 5 follow the paper; the others go beyond it: efficiency, separators, unseen labels, paired differences,
timing.
"""

from __future__ import annotations

from typing import Callable, Sequence

from scripts.common.artifacts import Table, table_step
from scripts.common.errors import run_step
from scripts.common.measured import Measured
from scripts.common.method_styles import method_label
from scripts.common.spread import Spread, spread
from scripts.common.tables import Cell, Column, Missing
from scripts.mend.comparison import Comparison
from scripts.mend.experiments import AVERAGE, SCORE, SCORES, SEEN, UNSEEN, USUAL, Condition, with_number

LABELS = {
    "no_pretraining": "without stage 1",
    "no_finetuning": "without stage 2",
    "lm_pretraining": "stage 1 by language modelling",
    "lm_only": "stage 2 by language modelling only",
    "kl_only": "stage 2 by distillation only",
    "hidden_only": "stage 2 by hidden states",
    "mend_short": "MEND, as many steps as the ablations",
    "icl_uncached": "in-context learning, nothing kept",
    "icl_cached": "in-context learning, demonstrations kept",
    "mend_uncached": "MEND, nothing kept",
}
FAULTS = {
    "none": "as they are",
    "no_input": "without inputs",
    "no_label": "without labels",
    "random_label": "random labels",
    "wrong_label": "wrong labels",
}
SCORE_NOTE = "Scores in %: macro-F1 for classification, accuracy for the rest, averaged over the tasks of a setting."
SEED_NOTE = "The seeds are those of the demonstrations; every distiller is trained once."


def label(method: str) -> str:
    """Return the printed name of a method."""
    return LABELS.get(method) or method_label(method)


def table_2(measured: Measured, settings: Comparison) -> Table:
    """Return the main comparison: backbones and methods by settings."""
    names = [*settings.order, AVERAGE]
    columns = [Column("model", "Model"), Column("method", "Method")]
    columns += [Column(name, settings.title(name), "spread", decimals=1) for name in names]
    known = {row["setting"] for row in measured.published if row["metric"] == SCORE}
    shown = [name for name in names if name in known]
    columns += [Column(f"{name}_published", settings.title(name), "published", decimals=1) for name in shown]
    rows = []
    for model in settings.models:
        for method in settings.show["methods"]:
            row: dict[str, Cell] = {"model": model, "method": label(method)}
            row.update({name: measured.cell(name, method, SCORE, experiment=SCORES, model=model) for name in names})
            for name in shown:
                row[f"{name}_published"] = measured.published_value(name, method, SCORE, model=model)
            rows.append(row)
    notes = [SCORE_NOTE, SEED_NOTE]
    if shown:
        notes.append(f"Published: {measured.published[0]['source']}.")
    return Table(rows, columns, "MEND, main comparison: score in % by setting", notes)


def table_paired(measured: Measured, settings: Comparison) -> Table:
    """Return by how much MEND scores above each other method, seed by seed."""
    columns = [Column("model", "Model"), Column("setting", "Setting"), Column("difference", "MEND minus")]
    columns += [
        Column("value", "difference", "spread", unit="points", decimals=1),
        Column("low", "95 % interval from", "number", decimals=1),
        Column("high", "to", "number", decimals=1),
    ]
    rows: list[dict[str, Cell]] = []
    for model in settings.models:
        for setting in settings.order:
            for method in (name for name in settings.show["methods"] if name != "mend"):
                value = paired_difference(measured, setting, model, method)
                row: dict[str, Cell] = {"model": model, "setting": settings.title(setting), "difference": label(method)}
                row.update(value=value, low=getattr(value, "low", value), high=getattr(value, "high", value))
                rows.append(row)
    notes = ["Differences are taken seed by seed, then averaged; the interval is Student's over these differences."]
    return Table(rows, columns, "MEND against each other method: paired differences", [SCORE_NOTE, SEED_NOTE, *notes])


def paired_difference(measured: Measured, setting: str, model: str, method: str) -> Spread | Missing:
    """Return MEND's score minus another method's over the seeds that both have, or why there is none."""
    scores: dict[str, dict[str, float]] = {"mend": {}, method: {}}
    for row in measured.rows:
        key = (row["experiment"], row["setting"], row["model"], row["metric"])
        if key == (SCORES, setting, model, SCORE) and row["method"] in scores:
            scores[row["method"]][row["seed"]] = float(row["value"])
    common = sorted(scores["mend"].keys() & scores[method].keys())
    if common:
        return spread(scores["mend"][seed] - scores[method][seed] for seed in common)
    missing = (measured.cell(setting, name, SCORE, experiment=SCORES, model=model) for name in ("mend", method))
    return next((cell for cell in missing if isinstance(cell, Missing)), Missing("No seed was run with both."))


def by_setting(
    measured: Measured, settings: Comparison, rows: Sequence[tuple[str, Condition, str]], first: Sequence[Column]
) -> tuple[list[dict[str, Cell]], list[Column]]:
    """Return rows and columns of a table with one column for each study setting.

    rows: (method, under which condition, cells of the first columns joined by "|").
    """
    columns = [*first, *(Column(name, settings.title(name), "spread", decimals=1) for name in settings.order)]
    made = []
    for method, condition, text in rows:
        row: dict[str, Cell] = dict(zip((column.key for column in first), text.split("|")))
        where = {"experiment": condition.experiment, "model": settings.model}
        for name in settings.order:
            row[name] = measured.cell(condition.setting(name), method, SCORE, **where)
        made.append(row)
    return made, columns


def table_3(measured: Measured, settings: Comparison) -> Table:
    """Return what faults of the demonstrations do."""
    cells = [
        (method, Condition(fault), f"{label(method)}|{FAULTS[fault]}")
        for method in settings.show["methods"]
        for fault in settings.show["perturbations"]
    ]
    first = [Column("method", "Method"), Column("demonstrations", "Demonstrations")]
    rows, columns = by_setting(measured, settings, cells, first)
    notes = [
        SCORE_NOTE,
        SEED_NOTE,
        "Random and wrong labels are drawn with the seed; a wrong label is never the right one.",
    ]
    return Table(rows, columns, f"MEND, perturbed demonstrations: score in %, {settings.model}", notes)


def table_4(measured: Measured, settings: Comparison) -> Table:
    """Return the ablation."""
    cells = [(method, USUAL, label(method)) for method in settings.show["methods"]]
    rows, columns = by_setting(measured, settings, cells, [Column("method", "Distiller")])
    notes = [SCORE_NOTE, SEED_NOTE]
    if settings.ablation_steps is not None:
        notes.append(f"All but the one without stage 2 are trained for {settings.ablation_steps} steps in stage 2.")
    return Table(rows, columns, f"MEND, ablation: score in %, {settings.model}", notes)


def table_5(measured: Measured, settings: Comparison) -> Table:
    """Return the hyper-parameters of the runs."""
    parts = {
        "stage_1": ("MEND, stage 1", settings.pretrain),
        "stage_2": ("MEND, stage 2", settings.finetune),
        "metaicl": ("MetaICL", settings.tune),
        "prompt_tuning": ("Prompt tuning", settings.prompt_tuning),
    }
    keys = list(dict.fromkeys(key for _, values in parts.values() for key in values if key != "stage"))
    columns = [Column("setting", "Setting"), *(Column(name, title) for name, (title, _) in parts.items())]
    unused = Missing("This training has no such setting.")
    rows: list[dict[str, Cell]] = []
    for key in keys:
        row: dict[str, Cell] = {"setting": key.replace("_", " ")}
        row.update({name: str(values[key]) if key in values else unused for name, (_, values) in parts.items()})
        rows.append(row)
    notes = [f"Training seed {settings.train_seed}; seeds of the demonstrations {', '.join(map(str, settings.seeds))}."]
    return Table(rows, columns, f"MEND, hyper-parameters of this run, {settings.model}", notes)


def table_separators(measured: Measured, settings: Comparison) -> Table:
    """Return scores where examples are joined otherwise than in training."""
    names = settings.show["formats"]
    cells = [
        (method, USUAL, f"{label(method)}|{name}, as in training")
        if name == settings.format
        else (method, Condition(format=name), f"{label(method)}|{name}")
        for method in settings.show["methods"]
        for name in names
    ]
    first = [Column("method", "Method"), Column("format", "Format")]
    rows, columns = by_setting(measured, settings, cells, first)
    notes = [
        SCORE_NOTE,
        SEED_NOTE,
        "Demonstrations and queries are joined in the same way; the formats stand in mend.formats.",
    ]
    return Table(rows, columns, f"MEND, robustness to the way examples are joined: score in %, {settings.model}", notes)


def table_unseen_labels(measured: Measured, settings: Comparison) -> Table:
    """Return the accuracy on queries whose label the demonstrations show, and on the others."""
    columns = [Column("setting", "Setting"), Column("k", "K", "number", decimals=0), Column("method", "Method")]
    columns.append(Column("seen", "Label among the demonstrations'", "spread", decimals=3))
    columns.append(Column("unseen", "Label not among them", "spread", decimals=3))
    rows: list[dict[str, Cell]] = []
    for setting in settings.order:
        for number in settings.show["n_demonstrations"]:
            for method in settings.show["methods"]:
                condition = with_number(number, settings.n_demonstrations)
                where = {"experiment": condition.experiment, "model": settings.model}
                row: dict[str, Cell] = {"setting": settings.title(setting), "k": number, "method": label(method)}
                for key, metric in (("seen", SEEN), ("unseen", UNSEEN)):
                    row[key] = measured.cell(condition.setting(setting), method, metric, **where)
                rows.append(row)
    notes = ["Accuracy (share of right answers) over the queries of all tasks of a setting.", SEED_NOTE]
    return Table(rows, columns, f"MEND, answers that no demonstration shows, {settings.model}", notes)


def scaled(measured: Measured, place: str, method: str, metric: str, scale: float) -> Cell:
    """Return a counted value in another unit, or that it was not counted."""
    value = measured.number(place, method, metric, otherwise="Does not apply.")
    return value if isinstance(value, Missing) else value / scale


def places_of(measured: Measured) -> list[tuple[int, str, str]]:
    """Return (K, setting, method) of everything counted or timed, fewest demonstrations first."""
    found = {
        (int(row["setting"][len("k_") :]), row["setting"], row["method"])
        for row in measured.rows
        if row["setting"].startswith("k_")
    }
    order = ("zero_shot", "icl_uncached", "icl_cached", "mend_uncached", "mend")
    return sorted(found, key=lambda cell: (cell[0], order.index(cell[2]) if cell[2] in order else len(order)))


EFFICIENCY_PARTS = (
    ("prepare_flops", "Prepare", "GFLOP", 1e9, 3),
    ("query_flops", "One query", "GFLOP", 1e9, 4),
    ("total_flops", "{n} queries", "GFLOP", 1e9, 2),
    ("prepare_tokens", "Positions before a query", "", 1, 0),
    ("prepare_cache_bytes", "Kept keys and values", "MB", 1e6, 3),
    ("query_peak_tensor_bytes", "Peak memory of a query", "MB", 1e6, 2),
    ("total_break_even_queries", "MEND cheaper from", "queries", 1, 0),
)
"""Metric, header, unit, how much of the metric one unit is, decimals: the columns of `table_efficiency`."""


def table_efficiency(measured: Measured, settings: Comparison) -> Table:
    """Return counted operations and memory of preparing and of asking, and where MEND begins to pay."""
    n = settings.efficiency["n_queries"]
    parts = EFFICIENCY_PARTS
    columns = [Column("k", "K", "number", decimals=0), Column("method", "Method")]
    columns += [
        Column(key, header.format(n=n), "number", unit=unit, decimals=places) for key, header, unit, _, places in parts
    ]
    rows: list[dict[str, Cell]] = []
    for number, place, method in places_of(measured):
        row: dict[str, Cell] = {"k": number, "method": label(method)}
        row.update({key: scaled(measured, place, method, key, scale) for key, _, _, scale, _ in parts})
        rows.append(row)
    notes = [
        "Operations are counted, not timed: forward passes with all options of a query; preparing is reading the"
        " demonstrations once, or distilling them and reading the vectors.",
        "MEND is cheaper than the method of the row from so many queries on the same demonstrations.",
        "Peak memory: all queries in batches where something is kept, one option at a time where nothing is.",
    ]
    return Table(rows, columns, f"MEND, operations and memory, {settings.model}", notes)


def table_timing(measured: Measured, settings: Comparison) -> Table:
    """Return measured seconds of preparing and of asking."""
    n = settings.efficiency["n_queries"]
    parts = [
        ("prepare_seconds", "Prepare", "s", 4),
        ("query_seconds", "One query", "s", 4),
        ("total_seconds", f"{n} queries", "s", 3),
        ("total_break_even_queries", "MEND faster from", "queries", 0),
    ]
    timed = {row["metric"] for row in measured.rows}
    columns = [Column("k", "K", "number", decimals=0), Column("method", "Method")]
    columns += [
        Column(key, header, "number", unit=unit, decimals=places) for key, header, unit, places in parts if key in timed
    ]
    rows: list[dict[str, Cell]] = []
    for number, place, method in places_of(measured):
        row: dict[str, Cell] = {"k": number, "method": label(method)}
        row.update({key: scaled(measured, place, method, key, 1) for key, _, _, _ in parts if key in timed})
        rows.append(row)
    notes = [f"Medians of {settings.efficiency['repeats']} repetitions on this machine: they vary from run to run."]
    return Table(rows, columns, f"MEND, measured seconds, {settings.model}", notes)


BUILDERS: dict[str, Callable[[Measured, Comparison], Table]] = {
    "table_2": table_2,
    "table_3": table_3,
    "table_4": table_4,
    "table_5": table_5,
    "table_efficiency": table_efficiency,
    "table_separators": table_separators,
    "table_unseen_labels": table_unseen_labels,
    "table_paired": table_paired,
    "table_timing": table_timing,
}


def main(argv: Sequence[str] | None = None) -> None:
    """Write one table."""
    table_step(argv, __doc__, BUILDERS, Comparison)


if __name__ == "__main__":
    run_step(main)
