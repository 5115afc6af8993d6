"""Write one of DELIFT's tables from measured values: one row per subset, mean and spread over seeds.

Tables 1 to 6 and the one on full fine-tuning follow the paper (their values were not at hand: see `published`);
`table_selection_quality` goes beyond it.
"""

from __future__ import annotations

import functools
from typing import Any, Mapping, Sequence

from scripts.common.artifacts import Table, table_step
from scripts.common.errors import run_step
from scripts.common.measured import NOT_MEASURED, Measured, sentence
from scripts.common.tables import Cell, Column, Missing
from scripts.delift.comparison import ANSWERS, CHOICES, Comparison, choice_setting, label_of_pair, setting_of
from scripts.delift.labels import LEARNING_LABELS, METRICS, row_label

CAPTIONS = {
    "table_1": ("DELIFT, Table 1: stage 1 (instruction tuning)", "MixInstruct"),
    "table_2": ("DELIFT, Table 2: stage 1 (instruction tuning)", "P3"),
    "table_3": ("DELIFT, Table 3: stage 2 (task specific)", "HotpotQA for MMLU"),
    "table_4": ("DELIFT, Table 4: stage 2 (task specific)", "MixInstruct for MT-Bench and GSM8K"),
    "table_5": ("DELIFT, Table 5: stage 3 (continual)", "Government beside IBM"),
    "table_6": ("DELIFT, Table 6: stage 3 (continual)", "HotpotQA beside SQuAD"),
    "table_fft": ("DELIFT: full fine-tuning on each subset", "MixInstruct"),
}
"""Of each table: what it is, and which data the paper shows in it."""
AS_IT_IS = "The model as it is: nothing was chosen."
OBJECTIVES = ("facility_location", "mutual_information", "conditional_gain")


def comparison_table(name: str, measured: Measured, compared: Comparison) -> Table:
    """Return a table of results: columns are pairs and models, ways of learning, metrics. name: a key of CAPTIONS."""
    columns = [Column("subset", "Subset"), Column("n_examples", "Examples", "number", decimals=0)]
    places: list[tuple[str, Mapping[str, Any] | None, str, str]] = []
    for run in compared.runs or [None]:
        for learning in compared.learnings:
            for metric in compared.metrics:
                key = "_".join([*([run["pair"], run["model"]] if run else []), learning, metric]).replace(".", "_")
                header, unit, decimals = METRICS[metric]
                owner = f"{_owner(run, compared.runs)}{LEARNING_LABELS[learning]} "
                columns.append(Column(key, owner + header, "spread", unit=unit, decimals=decimals))
                places.append((key, run, learning, metric))
    left_out = Missing(sentence(compared.why_empty(measured)))
    rows: list[dict[str, Cell]] = []
    for method, percent in compared.rows:
        row: dict[str, Cell] = {"subset": row_label(method, percent)}
        row["n_examples"] = _n_examples(measured, compared, method, percent) if compared.runs else left_out
        for key, run, learning, metric in places:
            row[key] = left_out
            if run:
                setting, model = setting_of(run["pair"], learning, percent), run["model"]
                row[key] = measured.cell(setting, method, metric, experiment=ANSWERS, model=model)
        rows.append(row)
    caption, papers_data = CAPTIONS[name]
    if compared.planned:
        caption += " on " + ", ".join(f"{label_of_pair(pair)}, {model}" for pair, model in compared.planned)
    notes = [f"In the paper: {papers_data}."]
    if "judge_score" in compared.metrics and compared.planned:
        notes.append("LAJ: grades of the judge that the tier configures; the paper's is Prometheus-7b-v2.0.")
    return Table(rows, columns, caption, notes)


def _owner(run: Mapping[str, Any] | None, runs: Sequence[Mapping[str, Any]]) -> str:
    """Return what a column header says of pair and model: as much as tells the runs apart."""
    if run is None or len(runs) == 1:
        return ""
    pairs = {one["pair"] for one in runs}
    models = {one["model"] for one in runs}
    words = ([label_of_pair(run["pair"])] if len(pairs) > 1 else []) + ([run["model"]] if len(models) > 1 else [])
    return " ".join(words) + ", "


def _n_examples(measured: Measured, compared: Comparison, method: str, percent: float) -> float | Missing:
    """Return how many examples a subset has, from the first pair that has it."""
    found: float | Missing = Missing(NOT_MEASURED)
    for run in compared.runs:
        setting, otherwise = choice_setting(run["pair"], percent), AS_IT_IS if percent == 0 else NOT_MEASURED
        about = {"experiment": CHOICES, "model": run["model"], "otherwise": otherwise}
        found = measured.number(setting, method, "n_examples", **about)
        if not isinstance(found, Missing):
            return found
    return found


def selection_table(measured: Measured, compared: Comparison) -> Table:
    """Return what each method chooses: share of good and of repeated examples, families, value of the objectives."""
    pairs = [run["pair"] for run in compared.runs]
    shown = {(method, choice_setting(pair, percent)) for pair in pairs for method, percent in compared.rows}
    names = {row["metric"] for row in measured.rows if (row["method"], row["setting"]) in shown}
    families = sorted(name for name in names if name.startswith("share_of_"))
    columns = [
        Column("pair", "Pair"),
        Column("subset", "Subset"),
        Column("n_examples", "Examples", "number", decimals=0),
        Column("share_good", "Share of good ones", "spread", decimals=3),
        Column("share_repeated", "Share of repeats", "spread", decimals=3),
        Column("share_reference", "Share of the reference set's families", "spread", decimals=3),
    ]
    columns += [
        Column(f"objective_{name}", name.replace("_", " ").capitalize(), "spread", decimals=2)
        for name in OBJECTIVES
        if f"objective_{name}" in names
    ]
    columns += [Column(name, name[len("share_of_") :].replace("_", " "), "spread", decimals=3) for name in families]
    rows: list[dict[str, Cell]] = []
    for run in compared.runs:
        for method, percent in compared.rows:
            setting = choice_setting(run["pair"], percent)
            about = {"experiment": CHOICES, "model": run["model"]}
            row: dict[str, Cell] = {"pair": label_of_pair(run["pair"]), "subset": row_label(method, percent)}
            row["n_examples"] = measured.number(setting, method, "n_examples", **about)
            for column in columns[3:]:
                row[column.key] = measured.cell(setting, method, column.key, otherwise=_absent(column.key), **about)
            rows.append(row)
    caption = "What each method chooses, held against what is known of the pool"
    notes = [
        "The reference set's families: what the benchmark asks for (stage 2), or what is known already (stage 3).",
        "Columns named after a family of tasks: the share of the chosen examples that belong to it.",
        "Repeats ask a question that another chosen example asks already.",
        "Objectives: values of the submodular functions on the utility kernel, for every method's subset.",
    ]
    return Table(rows, columns, caption, notes if compared.runs else [])


def _absent(metric: str) -> str:
    """Return why a pair has no such value."""
    if metric == "share_reference":
        return "The pair has no reference set whose families are known."
    if metric.startswith("share_of_"):
        return "No such family in this pool."
    if metric.startswith("objective_"):
        return "The objective of another stage."
    return NOT_MEASURED


BUILDERS = {
    **{name: functools.partial(comparison_table, name) for name in CAPTIONS},
    "table_selection_quality": selection_table,
}


def main(argv: Sequence[str] | None = None) -> None:
    """Write one table."""
    table_step(argv, __doc__, BUILDERS, Comparison)


if __name__ == "__main__":
    run_step(main)
