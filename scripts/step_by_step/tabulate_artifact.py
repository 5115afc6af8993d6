"""Write one of the tables of Distilling Step-by-Step: ours with their spread over runs, the paper's beside.

Tables 1 to 3 follow the paper; `table_teachers` goes beyond it.
"""

from __future__ import annotations

from typing import Callable, Sequence

from scripts.common.artifacts import Artifact, Table, tabulate
from scripts.common.errors import run_step
from scripts.common.plotting import method_label
from scripts.common.tables import Cell, Column
from scripts.step_by_step.collect_metrics import LAST, SELECTED
from scripts.step_by_step.plan import DSS, FEW_SHOT, Plan

SPLITS = {"train": "Training", "valid": "Validation", "test": "Test"}
PERCENT = "%"


def published_settings(artifact: Artifact, metric: str) -> list[str]:
    """Return the settings for which the paper gives a value, in its order."""
    return list(dict.fromkeys(row["setting"] for row in artifact.published if row["metric"] == metric))


def accuracy_table(artifact: Artifact, plan: Plan, rows: Sequence[tuple[str, str]], caption: str) -> Table:
    """Return a table of test accuracies: a row per method (slug, printed name), columns per data set.

    Ours stand twice: at the last step, and at the step with the best validation accuracy.
    """
    ours = plan.sets_of(artifact.name)
    columns = [Column("method", "Method")]
    columns += [Column(name, f"{name}, last step", "spread", unit=PERCENT, decimals=2) for name in ours]
    columns += [
        Column(f"{name}_selected", f"{name}, best validation", "spread", unit=PERCENT, decimals=2) for name in ours
    ]
    paper = published_settings(artifact, LAST)
    columns += [Column(f"{name}_published", name, "published", unit=PERCENT, decimals=2) for name in paper]
    body = []
    for method, label in rows:
        row: dict[str, Cell] = {"method": label}
        for name in ours:
            row[name] = artifact.cell(name, method, LAST, model=plan.main_model)
            row[f"{name}_selected"] = artifact.cell(name, method, SELECTED, model=plan.main_model)
        row.update({f"{name}_published": artifact.published_value(name, method, LAST) for name in paper})
        body.append(row)
    notes = [
        "Accuracy on the test rows. The released code reports the last of its steps or the best by the test rows; here"
        " the best step is chosen by the validation rows.",
        *artifact.published_note(plan.main_model, ", ".join(ours)),
    ]
    return Table(body, columns, caption, notes)


def table_1(artifact: Artifact, plan: Plan) -> Table:
    """Return Table 1: standard fine-tuning, and rationales of two teachers."""
    rows = [
        ("standard_finetuning", method_label("standard_finetuning")),
        (f"{DSS}_{plan.other_teacher}", f"{method_label(DSS)}, rationales of {plan.other_teacher}"),
        (DSS, f"{method_label(DSS)}, rationales of {plan.teacher}"),
    ]
    caption = f"Distilling Step-by-Step, Table 1: source of the rationales, gold labels, all rows, {plan.main_model}"
    return accuracy_table(artifact, plan, rows, caption)


def table_2(artifact: Artifact, plan: Plan) -> Table:
    """Return Table 2: without rationales, with rationale and label in one output, with two tasks."""
    rows = [
        ("standard_finetuning", method_label("standard_finetuning")),
        ("single_task", method_label("single_task")),
        (DSS, f"multi-task training ({method_label(DSS)})"),
    ]
    caption = f"Distilling Step-by-Step, Table 2: ways of training, gold labels, all rows, {plan.main_model}"
    return accuracy_table(artifact, plan, rows, caption)


def table_3(artifact: Artifact, plan: Plan) -> Table:
    """Return Table 3: rows of each split after a tenth was held out where there is no validation split."""
    paper = [name for name in published_settings(artifact, "n_examples") if name not in plan.datasets]
    columns = [Column("dataset", "Data set")]
    columns += [Column(split, title, "number", decimals=0) for split, title in SPLITS.items()]
    columns += [Column(f"{split}_published", title, "published", decimals=0) for split, title in SPLITS.items()]
    body = []
    for name in [*plan.datasets, *paper]:
        row: dict[str, Cell] = {"dataset": name}
        otherwise = "The paper's data set; this run uses others."
        row.update({s: artifact.number(name, s, "n_examples", otherwise, model="data") for s in SPLITS})
        row.update({f"{s}_published": artifact.published_value(name, s, "n_examples") for s in SPLITS})
        body.append(row)
    notes = ["Training rows are those left when the validation rows are held out."]
    notes += [f"Published: {artifact.published[0]['source']}."] if artifact.published else []
    return Table(body, columns, "Distilling Step-by-Step, Table 3: sizes of the data sets, in rows", notes)


def table_teachers(artifact: Artifact, plan: Plan) -> Table:
    """Return how often each teacher is right and how often its answers can be read (beyond the paper)."""
    metrics = [
        ("accuracy_percent", "Accuracy", PERCENT, 2),
        ("parse_rate_percent", "Answers read", PERCENT, 1),
        ("n_blank_labels", "Blank labels", "", 0),
    ]
    columns = [Column("rows", "Rows"), Column("teacher", "Teacher"), Column("n", "Answers", "number", decimals=0)]
    columns += [Column(key, title, "number", unit=unit, decimals=places) for key, title, unit, places in metrics]
    published = "accuracy_percent_published"
    columns.append(Column(published, "Accuracy", "published", unit=PERCENT, decimals=2))
    ours = sorted({(row["setting"], row["model"]) for row in artifact.measured})
    paper = [(row["setting"], row["model"]) for row in artifact.published]
    body = []
    for setting, teacher in [*ours, *(pair for pair in paper if pair not in ours)]:
        row: dict[str, Cell] = {"rows": setting, "teacher": teacher}
        otherwise = "Not among the rows of this run."
        row.update({key: artifact.number(setting, FEW_SHOT, key, otherwise, teacher) for key, _, _, _ in metrics})
        counts = [int(r["n"]) for r in artifact.measured if (r["setting"], r["model"]) == (setting, teacher)]
        row["n"] = counts[0] if counts else artifact.number(setting, FEW_SHOT, "n", otherwise, teacher)
        row[published] = artifact.published_value(setting, FEW_SHOT, "accuracy_percent", teacher)
        body.append(row)
    notes = [f"Published: {artifact.published[0]['source']}."] if artifact.published else []
    return Table(body, columns, "The teachers' own answers: few-shot chain of thought, without any training", notes)


BUILDERS: dict[str, Callable[[Artifact, Plan], Table]] = {
    "table_1": table_1,
    "table_2": table_2,
    "table_3": table_3,
    "table_teachers": table_teachers,
}


def main(argv: Sequence[str] | None = None) -> None:
    """Write one table."""
    tabulate(argv, __doc__, BUILDERS, Plan)


if __name__ == "__main__":
    run_step(main)
