"""Write one of DELIFT's tables from the collected metrics: one row per subset, mean and spread over seeds.

Tables 1 to 6 and the one on full fine-tuning follow the paper (their values were not at hand: see `published`);
`table_selection_quality` goes beyond it.
"""

from __future__ import annotations

from typing import Any, Callable, Mapping, Sequence

from scripts.common.artifacts import NOT_MEASURED, Artifact, Table, tabulate
from scripts.common.errors import run_step
from scripts.common.tables import Cell, Column, Missing
from scripts.delift.comparison import TABLES, Comparison, choice_setting, label_of_pair, setting_of
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


def comparison_table(artifact: Artifact, compared: Comparison) -> Table:
    """Return a table of results: columns are pairs and models, ways of learning, metrics."""
    settings = getattr(compared, artifact.name)
    runs: list[Mapping[str, Any]] = [] if settings["not_run"] else list(settings["runs"])
    columns = [Column("subset", "Subset"), Column("n_examples", "Examples", "number", decimals=0)]
    places: list[tuple[str, Mapping[str, Any] | None, str, str]] = []
    for run in runs or [None]:
        for learning in settings["learnings"]:
            for metric in settings["metrics"]:
                key = "_".join([*([run["pair"], run["model"]] if run else []), learning, metric]).replace(".", "_")
                header, unit, decimals = METRICS[metric]
                owner = f"{_owner(run, runs)}{LEARNING_LABELS[learning]} "
                columns.append(Column(key, owner + header, "spread", unit=unit, decimals=decimals))
                places.append((key, run, learning, metric))
    rows: list[dict[str, Cell]] = []
    for method, percent in compared.rows(artifact.name):
        row: dict[str, Cell] = {"subset": row_label(method, percent)}
        row["n_examples"] = _n_examples(artifact, places, method, percent)
        for key, run, learning, metric in places:
            setting, model = (setting_of(run["pair"], learning, percent), run["model"]) if run else ("", "")
            row[key] = artifact.cell(setting, method, metric, model=model)
        rows.append(row)
    done = compared.runs(artifact.name)
    caption, papers_data = CAPTIONS[artifact.name]
    if done:
        caption += " on " + ", ".join(f"{label_of_pair(pair)}, {model}" for pair, model in done)
    notes = [f"In the paper: {papers_data}."]
    if "judge_score" in settings["metrics"] and done:
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


def _n_examples(
    artifact: Artifact, places: Sequence[tuple[str, Mapping[str, Any] | None, str, str]], method: str, percent: int
) -> float | Missing:
    """Return how many examples a subset has, from the first pair that has it."""
    otherwise = AS_IT_IS if percent == 0 else NOT_MEASURED
    found: float | Missing = Missing(otherwise)
    for _, run, learning, _ in places:
        setting, model = (setting_of(run["pair"], learning, percent), run["model"]) if run else ("", "")
        found = artifact.number(setting, method, "n_examples", otherwise, model)
        if not isinstance(found, Missing):
            return found
    return found


def selection_table(artifact: Artifact, compared: Comparison) -> Table:
    """Return what each method chooses: share of good and of repeated examples, families, value of the objectives."""
    settings = compared.table_selection_quality
    runs = [] if settings["not_run"] else settings["runs"]
    names = {row["metric"] for row in artifact.measured}
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
    for run in runs:
        for method, percent in compared.rows(artifact.name):
            setting, model = choice_setting(run["pair"], percent), run["model"]
            row: dict[str, Cell] = {"pair": label_of_pair(run["pair"]), "subset": row_label(method, percent)}
            row["n_examples"] = artifact.number(setting, method, "n_examples", model=model)
            for column in columns[3:]:
                row[column.key] = artifact.cell(setting, method, column.key, _absent(column.key), model)
            rows.append(row)
    caption = "What each method chooses, held against what is known of the pool"
    notes = [
        "The reference set's families: what the benchmark asks for (stage 2), or what is known already (stage 3).",
        "Columns named after a family of tasks: the share of the chosen examples that belong to it.",
        "Repeats ask a question that another chosen example asks already.",
        "Objectives: values of the submodular functions on the utility kernel, for every method's subset.",
    ]
    return Table(rows, columns, caption, notes if runs else [])


def _absent(metric: str) -> str:
    """Return why a pair has no such value."""
    if metric == "share_reference":
        return "The pair has no reference set whose families are known."
    if metric.startswith("share_of_"):
        return "No such family in this pool."
    if metric.startswith("objective_"):
        return "The objective of another stage."
    return NOT_MEASURED


BUILDERS: dict[str, Callable[[Artifact, Comparison], Table]] = {
    **dict.fromkeys(TABLES, comparison_table),
    "table_selection_quality": selection_table,
}


def main(argv: Sequence[str] | None = None) -> None:
    """Write one table."""
    tabulate(argv, __doc__, BUILDERS, Comparison)


if __name__ == "__main__":
    run_step(main)
