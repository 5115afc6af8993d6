"""Merge files of measured values, of one paper or of all, into one file in the long metrics schema."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.metrics import KEY_COLUMNS, is_finite_number, read_metrics, write_metrics


def merge(files: Sequence[tuple[str, Sequence[dict[str, str]]]]) -> list[dict[str, str]]:
    """Return the rows of all files as one list.

    files: (name, rows) pairs; rows that only say why a value is missing are kept. Raises `UserError` naming file and
    line of a value that is not a finite number, of a count that is not a whole number, and of a value given before.
    """
    first_seen: dict[tuple[str, ...], str] = {}
    merged = []
    for name, rows in files:
        for line, row in enumerate(rows, start=2):
            where = f"{name}:{line}"
            if row["reason"] and not row["value"]:
                merged.append(row)
                continue
            if row["reason"]:
                raise UserError(f"{where}: has a value and a reason why there is none; run its step again")
            if not is_finite_number(row["value"]):
                raise UserError(f"{where}: value is '{row['value']}', not a finite number; run its step again")
            if not row["n"].isdecimal():
                raise UserError(f"{where}: n is '{row['n']}', not a whole number; run its step again")
            key = tuple(row[column] for column in KEY_COLUMNS)
            if key in first_seen:
                raise UserError(
                    f"{where}: {'/'.join(key)} was measured before, in {first_seen[key]}; remove one of the two"
                )
            first_seen[key] = where
            merged.append(row)
    return merged


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--metrics", nargs="*", required=True, type=Path, help="files of measured values")
    parser.add_argument("--metrics-out", required=True, type=Path, help="all of them in one CSV")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read the files, check them, write them as one."""
    args = parse_args(argv)
    write_metrics(args.metrics_out, merge([(str(path), read_metrics(path)) for path in args.metrics]))


if __name__ == "__main__":
    run_step(main)
