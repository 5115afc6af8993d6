"""Compare what two runs measured: every value of the first must stand in the second, to the last digit.

    python -m tests.compare_measurements results_before/metrics.csv results_after/metrics.csv

Values are told apart by paper, setting, model, method, seed and metric, with value and n; what they are stored under
(the column `experiment`, earlier `artifact`) may differ. A value that is found under another setting only is listed as
moved, a value of the second run that the first has nowhere as new. The exit status is 1 if one is missing.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path
from typing import Iterable, Mapping, Sequence

SAME = ("paper", "setting", "model", "method", "seed", "metric", "value", "n")
MOVED = tuple(column for column in SAME if column != "setting")


def read(path: Path) -> list[dict[str, str]]:
    """Return the rows that hold a value; the columns may be those of any version of the schema."""
    with path.open(encoding="utf-8", newline="") as stream:
        return [row for row in csv.DictReader(stream) if row["value"]]


def keys(rows: Iterable[Mapping[str, str]], columns: Sequence[str]) -> set[tuple[str, ...]]:
    """Return what tells the rows apart, by these columns."""
    return {tuple(row[column] for column in columns) for row in rows}


def differences(
    before: Sequence[Mapping[str, str]], after: Sequence[Mapping[str, str]]
) -> dict[str, list[tuple[str, ...]]]:
    """Return the keys of `missing`, `moved` (under another setting) and `new` values."""
    old, there, elsewhere = keys(before, SAME), keys(after, SAME), keys(after, MOVED)
    gone = sorted(old - there)
    moved = [key for key in gone if (key[0], *key[2:]) in elsewhere]
    known = keys(before, MOVED)
    new = sorted(key for key in there - old if (key[0], *key[2:]) not in known)
    return {"missing": [key for key in gone if key not in moved], "moved": moved, "new": new}


def main(argv: Sequence[str] | None = None) -> int:
    """Print the differences; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--paper", help="compare the values of this paper only")
    args = parser.parse_args(argv)
    before, after = ([r for r in read(path) if args.paper in (None, r["paper"])] for path in (args.before, args.after))
    found = differences(before, after)
    for kind, rows in found.items():
        for key in rows:
            print(kind, *key, sep="\t")  # noqa: T201
    counts = ", ".join(f"{len(rows)} {kind}" for kind, rows in found.items())
    print(f"{len(before)} values before, {len(after)} after: {counts}")  # noqa: T201
    return 1 if found["missing"] else 0


if __name__ == "__main__":
    sys.exit(main())
