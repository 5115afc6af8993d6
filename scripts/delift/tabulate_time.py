"""Write the table of the wall-clock time of choosing, by method (third version of the paper).

Times are measured where the workflow ran, jobs beside each other included: an order of magnitude, no benchmark.
"""

from __future__ import annotations

from typing import Mapping, Sequence

from scripts.common.artifacts import TABLE, Table, artifact_flags, save_table
from scripts.common.errors import run_step
from scripts.common.files import read_csv
from scripts.common.settings import parse_settings
from scripts.common.tables import Cell, Column, Missing
from scripts.delift.comparison import TIME_COLUMNS, Comparison, label_of_pair
from scripts.delift.times import PREPARATION
from scripts.selection.methods import method_label, way_of


def time_row(
    times: Mapping[tuple[str, str, str], float], compared: Comparison, pair: str, model: str, method: str
) -> dict[str, Cell]:
    """Return the seconds of one method: what it needs of the pool, the choice itself, both."""
    needed = PREPARATION[way_of(compared.by[method]).cost]
    preparation: float | None = 0.0 if needed is None else times.get((pair, model, needed))
    choice = times.get((pair, model, f"select/{method}"))
    absent = Missing("Not measured in this run.")
    return {
        "pair": label_of_pair(pair),
        "method": method_label(method),
        "preparation": absent if preparation is None else preparation,
        "choice": absent if choice is None else choice,
        "total": absent if preparation is None or choice is None else preparation + choice,
    }


def time_table(times: Mapping[tuple[str, str, str], float], compared: Comparison) -> Table:
    """Return the table of all methods, or a table that says why there is none."""
    columns = [Column("pair", "Pair"), Column("method", "Method")]
    columns += [
        Column(key, header, "number", unit="s", decimals=2)
        for key, header in (("preparation", "Scoring the pool"), ("choice", "Choosing"), ("total", "Both"))
    ]
    rows: list[dict[str, Cell]] = []
    for pair, model in compared.planned:
        rows += [time_row(times, compared, pair, model, method) for method in compared.methods]
    if not rows:
        absent = Missing(f"Not run: {compared.not_run or 'no pair of this artifact can be run'}.")
        rows = [
            {"pair": "", "method": method_label(method), "preparation": absent, "choice": absent, "total": absent}
            for method in compared.methods
        ]
    notes = [
        "Wall-clock seconds on the machine of this run, whatever else it did meanwhile, without loading models"
        " (LESS: with its warm-up).",
    ]
    return Table(rows, columns, "DELIFT: wall-clock time of choosing, by method", notes)


def main(argv: Sequence[str] | None = None) -> None:
    """Write the table."""
    args = artifact_flags(argv, __doc__, TABLE, files={"times": "CSV of collect_times"})
    rows = read_csv(args.times, TIME_COLUMNS)
    times = {(row["pair"], row["model"], row["part"]): float(row["seconds"]) for row in rows}
    save_table(time_table(times, parse_settings(Comparison, args.settings)), args)


if __name__ == "__main__":
    run_step(main)
