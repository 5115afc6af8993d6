"""Write a table of the seconds that each method took: to choose, or to answer all questions of a task.

Times are measured where the workflow ran, jobs beside each other included: an order of magnitude, no benchmark.
"""

from __future__ import annotations

from typing import Callable, Mapping, Sequence

from scripts.common.artifacts import TABLE, Table, artifact_flags, save_table
from scripts.common.errors import UserError, run_step
from scripts.common.files import read_csv
from scripts.common.settings import parse_settings
from scripts.common.tables import Cell, Column, Missing
from scripts.head_to_head.columns import TIME_COLUMNS
from scripts.head_to_head.comparison import Comparison, seconds_of_answering
from scripts.selection.methods import method_label

MEASURED = "Wall-clock seconds on the machine of this run, whatever else it did meanwhile, without loading models."
NOTES = [
    MEASURED,
    "Perplexity and IFD are scored together, so both show the time of both.",
]


def time_table(times: Mapping[tuple[str, str], float], compared: Comparison) -> Table:
    """Return the table of all methods, or a table that says why there is none."""
    selection = compared.choices
    columns = [Column("method", "Method")]
    columns += [
        Column(key, header, "number", unit="s", decimals=2)
        for key, header in (("scoring", "Scoring the pool"), ("choosing", "Choosing"))
    ]
    reason = f"Not run: {selection.not_run}." if selection.not_run else ""
    rows: list[dict[str, Cell]] = []
    for method in selection.methods:
        row: dict[str, Cell] = {"method": method_label(method)}
        for part, otherwise in (("scoring", "Nothing is scored."), ("choosing", "Only sorted: not measured.")):
            row[part] = times.get((method, part), Missing(reason or otherwise))
        rows.append(row)
    return Table(rows, columns, "Seconds of choosing, by method", [] if reason else NOTES)


def answering_table(times: Mapping[tuple[str, str], float], compared: Comparison) -> Table:
    """Return the table of the ways to show demonstrations, or a table that says why there is none."""
    shown = compared.shown
    reason = f"Not run: {shown.not_run}." if shown.not_run else "Not measured in this run."
    rows: list[dict[str, Cell]] = []
    for method in shown.methods:
        seconds = seconds_of_answering(times, shown, method)
        rows.append({"method": method_label(method), "answering": Missing(reason) if seconds is None else seconds})
    columns = [
        Column("method", "Method"),
        Column("answering", "Answering all questions", "number", unit="s", decimals=2),
    ]
    notes = [
        MEASURED,
        "With preparing (reading, distilling or ranking the demonstrations), mean over the sets that a job has in"
        " common; without training and writing.",
    ]
    return Table(rows, columns, "Seconds of answering, by demonstrations", [] if shown.not_run else notes)


BUILDERS: Mapping[str, tuple[str, Callable[[Mapping[tuple[str, str], float], Comparison], Table]]] = {
    "table_time": ("choosing", time_table),
    "table_time_demonstrations": ("answering", answering_table),
}
"""Of each table: the half whose seconds it shows, and what makes it."""


def main(argv: Sequence[str] | None = None) -> None:
    """Write the table."""
    files = {f"{half}-times": "CSV of collect_times" for half, _ in BUILDERS.values()}
    args = artifact_flags(argv, __doc__, TABLE, files=files, optional=list(files), names=sorted(BUILDERS))
    half, build = BUILDERS[args.artifact]
    path = getattr(args, f"{half}_times")
    if path is None:
        raise UserError(f"--{half}-times: {args.artifact} needs it; give the file")
    times = {(row["method"], row["part"]): float(row["seconds"]) for row in read_csv(path, TIME_COLUMNS)}
    save_table(build(times, parse_settings(Comparison, args.settings)), args)


if __name__ == "__main__":
    run_step(main)
