"""Write one of the tables of Distilling Step-by-Step: ours with their spread over runs, the paper's beside.

Tables 1 to 3 follow the paper; `table_teachers` goes beyond it.
"""

from __future__ import annotations

from typing import Callable, Sequence

from scripts.common.artifacts import Table, table_step
from scripts.common.errors import run_step
from scripts.common.measured import Measured, sentence
from scripts.common.method_styles import method_label
from scripts.common.tables import Cell, Column, Missing
from scripts.step_by_step.plan import (
    ACCURACY,
    DATA_SETS,
    DSS,
    FEW_SHOT,
    LABELS,
    LAST,
    SELECTED,
    TEACHERS,
    Plan,
)

TITLES = {"train": "Training", "valid": "Validation", "test": "Test"}
PERCENT = "%"
GOLD = LABELS["gt"]
OTHER_MODEL = "It is about {}; this run about {} on {}, so the columns are no comparison of like with like."


def accuracy_table(name: str, values: Measured, plan: Plan, rows: Sequence[tuple[str, str]], caption: str) -> Table:
    """Return a table of test accuracies: a row per method (slug, printed name), columns per data set.

    Ours stand twice: at the last step, and at the step with the best validation accuracy.
    """
    ours, model, values = plan.sets_of(name), plan.main_model, values.of_seeds(plan.runs_of(name))
    published = values.published
    columns = [Column("method", "Method")]
    columns += [Column(name, f"{name}, last step", "spread", unit=PERCENT, decimals=2) for name in ours]
    columns += [
        Column(f"{name}_selected", f"{name}, best validation", "spread", unit=PERCENT, decimals=2) for name in ours
    ]
    paper = list(dict.fromkeys(row["setting"] for row in published))
    columns += [Column(f"{name}_published", name, "published", unit=PERCENT, decimals=2) for name in paper]
    body = []
    for method, label in rows:
        row: dict[str, Cell] = {"method": label}
        for name in ours:
            row[name] = values.cell(name, method, LAST, model=model, experiment=GOLD)
            row[f"{name}_selected"] = values.cell(name, method, SELECTED, model=model, experiment=GOLD)
        row.update({f"{name}_published": values.published_value(name, method, LAST) for name in paper})
        body.append(row)
    notes = [
        "Accuracy on the test rows. The released code reports the last of its steps or the best by the test rows; here"
        " the best step is chosen by the validation rows."
    ]
    if published:
        models = sorted({row["model"] for row in published})
        note = f"Published: {published[0]['source']}."
        same = models == [model]
        notes.append(note if same else f"{note} {OTHER_MODEL.format(', '.join(models), model, ', '.join(ours))}")
    return Table(body, columns, caption, notes)


def table_1(values: Measured, plan: Plan) -> Table:
    """Return Table 1: standard fine-tuning, and rationales of two teachers."""
    rows = [
        ("standard_finetuning", method_label("standard_finetuning")),
        (f"{DSS}_{plan.other_teacher}", f"{method_label(DSS)}, rationales of {plan.other_teacher}"),
        (DSS, f"{method_label(DSS)}, rationales of {plan.teacher}"),
    ]
    caption = f"Distilling Step-by-Step, Table 1: source of the rationales, gold labels, all rows, {plan.main_model}"
    return accuracy_table("table_1", values, plan, rows, caption)


def table_2(values: Measured, plan: Plan) -> Table:
    """Return Table 2: without rationales, with rationale and label in one output, with two tasks."""
    rows = [
        ("standard_finetuning", method_label("standard_finetuning")),
        ("single_task", method_label("single_task")),
        (DSS, f"multi-task training ({method_label(DSS)})"),
    ]
    caption = f"Distilling Step-by-Step, Table 2: ways of training, gold labels, all rows, {plan.main_model}"
    return accuracy_table("table_2", values, plan, rows, caption)


def table_3(values: Measured, plan: Plan) -> Table:
    """Return Table 3: rows of each split after a tenth was held out where there is no validation split."""
    published = values.published
    paper = dict.fromkeys(row["setting"] for row in published)
    columns = [Column("dataset", "Data set")]
    columns += [Column(split, title, "number", decimals=0) for split, title in TITLES.items()]
    columns += [Column(f"{split}_published", title, "published", decimals=0) for split, title in TITLES.items()]
    body = []
    for name in [*plan.datasets, *(name for name in paper if name not in plan.datasets)]:
        row: dict[str, Cell] = {"dataset": name}
        where = {"model": "data", "experiment": DATA_SETS, "otherwise": "The paper's data set; this run uses others."}
        row.update({split: values.number(name, split, "n_examples", **where) for split in TITLES})
        row.update({f"{s}_published": values.published_value(name, s, "n_examples") for s in TITLES})
        body.append(row)
    notes = ["Training rows are those left when the validation rows are held out."]
    notes += [f"Published: {published[0]['source']}."] if published else []
    return Table(body, columns, "Distilling Step-by-Step, Table 3: sizes of the data sets, in rows", notes)


def table_teachers(values: Measured, plan: Plan) -> Table:
    """Return how often each teacher is right and how often its answers can be read (beyond the paper)."""
    metrics = [
        (ACCURACY, "Accuracy", PERCENT, 2),
        ("parse_rate_percent", "Answers read", PERCENT, 1),
        ("n_blank_labels", "Blank labels", "", 0),
    ]
    columns = [Column("rows", "Rows"), Column("teacher", "Teacher"), Column("n", "Answers", "number", decimals=0)]
    columns += [Column(key, title, "number", unit=unit, decimals=places) for key, title, unit, places in metrics]
    before = f"{ACCURACY}_before"  # no paper prints it
    columns.append(Column(before, "Accuracy, measured before", "number", unit=PERCENT, decimals=2))
    known = [row for row in (*values.rows, *values.reasons) if row["experiment"] == TEACHERS and row["model"]]
    ours = sorted({(row["setting"], row["model"]) for row in known})
    theirs = values.published
    paper = [(row["setting"], row["model"]) for row in theirs]
    counts = {(row["setting"], row["model"]): int(row["n"]) for row in values.rows if row["experiment"] == TEACHERS}
    body = []
    for setting, teacher in [*ours, *(pair for pair in paper if pair not in ours)]:
        row: dict[str, Cell] = {"rows": setting, "teacher": teacher}
        where = {"model": teacher, "experiment": TEACHERS, "otherwise": "Not among the rows of this run."}
        row.update({key: values.number(setting, FEW_SHOT, key, **where) for key, _, _, _ in metrics})
        row["n"] = counts.get((setting, teacher), row[ACCURACY])
        earlier = values.published_value(setting, FEW_SHOT, ACCURACY, model=teacher)
        row[before] = Missing("Not measured before.") if earlier is None else earlier
        body.append(row)
    notes = [f"{sentence(theirs[0]['source']).removesuffix('.')}."] if theirs else []
    return Table(body, columns, "The teachers' own answers: few-shot chain of thought, without any training", notes)


BUILDERS: dict[str, Callable[[Measured, Plan], Table]] = {
    "table_1": table_1,
    "table_2": table_2,
    "table_3": table_3,
    "table_teachers": table_teachers,
}


def main(argv: Sequence[str] | None = None) -> None:
    """Write one table."""
    table_step(argv, __doc__, BUILDERS, Plan)


if __name__ == "__main__":
    run_step(main)
