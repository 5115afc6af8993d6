"""Write one of the head-to-head's tables: what each method reaches, and what it costs."""

from __future__ import annotations

from typing import Callable, Sequence

from scripts.common.artifacts import Artifact, Table, tabulate
from scripts.common.errors import run_step
from scripts.common.tables import Cell, Column, Missing
from scripts.head_to_head.comparison import CHOOSING, PARTS, TRAINING, Comparison, setting_of
from scripts.head_to_head.measures import GIGA, MEASURES
from scripts.selection.methods import method_label

NOTHING_CHOSEN = Missing("Nothing is chosen.")


def selection_table(artifact: Artifact, compared: Comparison) -> Table:
    """Return the table of the methods that choose training data."""
    selection = compared.choices
    columns = [Column("method", "Method"), Column("gflops", "Choosing", "number", unit="GFLOP", decimals=2)]
    columns.append(Column("runs", "of a training run", "number", decimals=2))
    known = any(row["metric"] == "share_good" for row in artifact.measured)
    for percent in selection.percents:
        for measure in selection.shown:
            header, unit, decimals = MEASURES[measure]
            columns.append(
                Column(f"{measure}_{percent}", f"{header}, {percent} %", "spread", unit=unit, decimals=decimals)
            )
        if known:
            columns.append(Column(f"good_{percent}", f"right, {percent} %", "number", decimals=2))
    training = artifact.number(TRAINING, "finetune", "flops")
    rows: list[dict[str, Cell]] = []
    for method in ("initial", *selection.methods, "full"):
        is_level = method in ("initial", "full")
        flops = NOTHING_CHOSEN if is_level else artifact.number(CHOOSING, method, "flops")
        row: dict[str, Cell] = {"method": method_label(method)}
        row["gflops"] = flops if isinstance(flops, Missing) else flops / GIGA
        failed = [value for value in (flops, training) if isinstance(value, Missing)]
        row["runs"] = failed[0] if failed else flops / training  # type: ignore[operator]
        for percent in selection.percents:
            setting = setting_of(selection.sizes(method)[0] if is_level else percent)
            for measure in selection.shown:
                row[f"{measure}_{percent}"] = artifact.cell(setting, method, measure)
            if known:
                share = NOTHING_CHOSEN if is_level else artifact.number(setting, method, "share_good")
                row[f"good_{percent}"] = share
        rows.append(row)
    caption = f"Methods that choose training data, on one pool ({selection.pair.replace('_', ' ')}, {selection.model})"
    notes = [
        "Choosing: floating-point operations of language models while a method chooses, all counted by one formula of"
        " the model's shape and the tokens read (docs/head_to_head.md); of a training run: the same as a multiple of"
        " one fine-tuning on a subset.",
        "Spread: over seeds, that is over trainings on one subset, and over draws of the subset where it is random.",
    ]
    if known:
        notes.append("Right: share of the chosen examples whose answer is right.")
    return Table(rows, columns, caption, notes if artifact.measured else [])


def demonstration_table(artifact: Artifact, compared: Comparison) -> Table:
    """Return the table of the ways to show a model demonstrations."""
    shown = compared.shown
    n = artifact.count("answers", "accuracy")
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
        row["accuracy"] = artifact.cell("answers", method, "accuracy")
        row["tokens"] = artifact.number("answers", method, "tokens_before")
        for part in PARTS:
            flops = artifact.number(part, method, "flops")
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
    return Table(rows, columns, caption, notes if artifact.measured else [])


BUILDERS: dict[str, Callable[[Artifact, Comparison], Table]] = {
    "table_selection": selection_table,
    "table_demonstrations": demonstration_table,
}


def main(argv: Sequence[str] | None = None) -> None:
    """Write one table."""
    tabulate(argv, __doc__, BUILDERS, Comparison)


if __name__ == "__main__":
    run_step(main)
