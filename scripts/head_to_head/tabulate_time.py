"""Write a table of the seconds that each method took: to choose, or to answer all questions of a task.

Times are measured where the workflow ran, jobs beside each other included: an order of magnitude, no benchmark.
"""

from __future__ import annotations

import argparse
from typing import Callable, Mapping, Sequence

from scripts.common.artifacts import Table, add_output_flags, save_table
from scripts.common.errors import run_step
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


BUILDERS: Mapping[str, Callable[[Mapping[tuple[str, str], float], Comparison], Table]] = {
    "table_time": time_table,
    "table_time_demonstrations": answering_table,
}


def main(argv: Sequence[str] | None = None) -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artifact", required=True, choices=sorted(BUILDERS))
    parser.add_argument("--times", required=True, help="CSV of collect_times")
    parser.add_argument("--settings", required=True, help="JSON: what is compared")
    parser.add_argument("--tier", required=True)
    add_output_flags(parser, ("csv", "md", "tex"))
    args = parser.parse_args(argv)
    rows = read_csv(args.times, TIME_COLUMNS)
    times = {(row["method"], row["part"]): float(row["seconds"]) for row in rows}
    save_table(BUILDERS[args.artifact](times, parse_settings(Comparison, args.settings)), args)


if __name__ == "__main__":
    run_step(main)
