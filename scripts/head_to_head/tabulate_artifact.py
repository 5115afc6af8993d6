"""Write one of the head-to-head's tables: what each method reaches, and what it costs."""

from __future__ import annotations

from typing import Callable, Sequence

from scripts.common.artifacts import Table, table_step
from scripts.common.errors import run_step
from scripts.common.measured import NOT_MEASURED, Measured
from scripts.common.tables import Cell, Column, Missing
from scripts.head_to_head.comparison import ANSWERING, ANSWERS, CHOICES, CHOOSING, PARTS, SHOWING, TRAINING, Comparison
from scripts.head_to_head.measures import GIGA, MEASURES
from scripts.selection.methods import method_label

GOOD = {
    "right": "Right: share of the chosen examples whose answer is right.",
    "of the goal": "Of the goal: share of the chosen examples that come from the goal's source.",
}
"""What the share of good rows is, by what the pair calls them (`delift.pairs.<pair>.truth.good`)."""
NOTHING_CHOSEN = Missing("Nothing is chosen.")


def left_out(reason: str | None) -> str:
    """Return what a cell says that has no value. reason: why a half is not run, None if it is."""
    return f"Not run: {reason}." if reason else NOT_MEASURED


def selection_table(measured: Measured, compared: Comparison) -> Table:
    """Return the table of the methods that choose training data."""
    selection = compared.choices
    measured, otherwise = selection.answers_of(measured), left_out(selection.not_run)
    costs = {"experiment": CHOOSING, "otherwise": otherwise}
    columns = [Column("method", "Method"), Column("gflops", "Choosing", "number", unit="GFLOP", decimals=2)]
    columns.append(Column("runs", "of a training run", "number", decimals=2))
    known = any(row["metric"] == "share_good" for row in measured.rows)
    for percent in selection.percents:
        for measure in selection.shown:
            header, unit, decimals = MEASURES[measure]
            columns.append(
                Column(f"{measure}_{percent}", f"{header}, {percent} %", "spread", unit=unit, decimals=decimals)
            )
        if known:
            columns.append(Column(f"good_{percent}", f"{selection.good}, {percent} %", "number", decimals=2))
    training = measured.number(TRAINING, "finetune", "flops", **costs)
    rows: list[dict[str, Cell]] = []
    for method in ("initial", *selection.methods, "full"):
        is_level = method in ("initial", "full")
        flops = NOTHING_CHOSEN if is_level else measured.number(CHOOSING, method, "flops", **costs)
        row: dict[str, Cell] = {"method": method_label(method)}
        row["gflops"] = flops if isinstance(flops, Missing) else flops / GIGA
        failed = [value for value in (flops, training) if isinstance(value, Missing)]
        row["runs"] = failed[0] if failed else flops / training  # type: ignore[operator]
        for percent in selection.percents:
            setting = selection.setting(selection.sizes(method)[0] if is_level else percent)
            for measure in selection.shown:
                row[f"{measure}_{percent}"] = measured.cell(
                    setting, method, measure, experiment=ANSWERS, otherwise=otherwise
                )
            if known:
                place = selection.choice_setting(percent)
                share = measured.number(place, method, "share_good", experiment=CHOICES, otherwise=otherwise)
                row[f"good_{percent}"] = NOTHING_CHOSEN if is_level else share
        rows.append(row)
    caption = f"Methods that choose training data, on one pool ({selection.pair.replace('_', ' ')}, {selection.model})"
    notes = [
        "Choosing: floating-point operations of language models while a method chooses, all counted by one formula of"
        " the model's shape and the tokens read (docs/head_to_head.md); of a training run: the same as a multiple of"
        " one fine-tuning on a subset.",
        "Spread: over seeds, that is over trainings on one subset, and over draws of the subset where it is random.",
    ]
    if known:
        notes.append(GOOD.get(selection.good, f"{selection.good.capitalize()}: share of the chosen examples that are."))
    return Table(rows, columns, caption, notes if measured.rows else [])


def demonstration_table(measured: Measured, compared: Comparison) -> Table:
    """Return the table of the ways to show a model demonstrations."""
    shown = compared.shown
    about = {"experiment": SHOWING, "otherwise": left_out(shown.not_run)}
    n = measured.count(ANSWERING, "accuracy")
    columns = [
        Column("method", "Method"),
        Column("accuracy", "Accuracy", "spread", decimals=3),
        Column("tokens", "Before a question", "number", unit="tokens", decimals=0),
    ]
    headers = ("Training", "Preparing a task", "Asking a question")
    columns += [Column(part, name, "number", unit="GFLOP", decimals=4) for part, name in zip(PARTS, headers)]
    rows: list[dict[str, Cell]] = []
    for method in shown.methods:
        row: dict[str, Cell] = {"method": method_label(method)}
        row["accuracy"] = measured.cell(ANSWERING, method, "accuracy", **about)
        row["tokens"] = measured.number(ANSWERING, method, "tokens_before", **about)
        for part in PARTS:
            flops = measured.number(part, method, "flops", **about)
            row[part] = flops if isinstance(flops, Missing) else flops / GIGA
        rows.append(row)
    caption = f"Ways to show a model demonstrations, on one task ({shown.task.replace('_', ' ')}, {shown.model})"
    notes = [
        f"Accuracy: over {n} questions. Spread: over sets of demonstrations, of the written ones several from each"
        " generator; where nothing is drawn there is one value.",
        "GFLOP: floating-point operations by one formula of each model's shape and the tokens it reads"
        " (docs/head_to_head.md). Training: MEND's distiller once for all tasks, DDG's generator for each task. Asking:"
        " behind what was prepared and kept; retrieved demonstrations are read for each question anew.",
    ]
    return Table(rows, columns, caption, notes if measured.rows else [])


BUILDERS: dict[str, Callable[[Measured, Comparison], Table]] = {
    "table_selection": selection_table,
    "table_demonstrations": demonstration_table,
}


def main(argv: Sequence[str] | None = None) -> None:
    """Write one table."""
    table_step(argv, __doc__, BUILDERS, Comparison)


if __name__ == "__main__":
    run_step(main)
