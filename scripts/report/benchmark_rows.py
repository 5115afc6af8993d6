"""Rows of docs/benchmarks.csv, one for each measured comparison."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Mapping

from scripts.common.errors import UserError
from scripts.common.files import read_csv

BENCHMARK_COLUMNS = ("benchmark", "compared", "ratio", "date", "processor", "note")


def check_row(row: Mapping[str, str], place: str) -> None:
    """Raise `UserError` for a row that names no benchmark, date or processor, or whose ratio is no positive number."""
    for key in ("benchmark", "compared", "date", "processor"):
        if not row[key]:
            raise UserError(f"{place}: '{key}' is empty; a measurement tells what, when and on which processor")
    try:
        datetime.date.fromisoformat(row["date"])
        positive = not row["ratio"] or float(row["ratio"]) > 0
    except ValueError as error:
        raise UserError(f"{place}: {error}; dates are YYYY-MM-DD, ratios numbers") from None
    if not positive:
        raise UserError(f"{place}: ratio {row['ratio']}: must be above 0")


def read_benchmarks(path: Path) -> list[dict[str, str]]:
    """Return the checked rows of the CSV."""
    rows = read_csv(path, BENCHMARK_COLUMNS)
    for number, row in enumerate(rows, start=2):
        check_row(row, f"{path}, line {number}")
    return rows
