"""Gather the seconds that choosing took, as the steps measured them: for the timing table only, never for metrics."""

from __future__ import annotations

import argparse
from typing import Any, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import read_json, write_csv
from scripts.head_to_head.columns import TIME_COLUMNS


def seconds_of(run: Any, key: str, path: str) -> float:
    """Return the seconds of a run file; key: which of several, empty where there is one. Raises `UserError`."""
    try:
        if "arms" in run:  # MEND's evaluation
            return float(next(arm["seconds"] for arm in run["arms"] if arm["method"] == key))
        return float(run["seconds"][key] if key else run["seconds"])
    except (KeyError, StopIteration, TypeError, ValueError):
        raise UserError(
            f"{path}: no 'seconds'{f' of {key}' if key else ''} in it; run the step again that writes it"
        ) from None


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", nargs="*", required=True, help="run files with seconds")
    parser.add_argument(
        "--parts", nargs="*", required=True, help="METHOD/PART[/KEY] of each: scoring, choosing or answering"
    )
    parser.add_argument("--times-out", required=True, help="CSV: " + ", ".join(TIME_COLUMNS))
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Add up the seconds of each method and part and write them."""
    args = parse_args(argv)
    if len(args.runs) != len(args.parts):
        raise UserError(f"--parts: {len(args.parts)} for {len(args.runs)} run files; give one for each")
    totals: dict[tuple[str, str], float] = {}
    for path, place in zip(args.runs, args.parts):
        if "/" not in place:
            raise UserError(f"--parts: '{place}' is not of the form METHOD/PART[/KEY]")
        method, part, *key = place.split("/")
        totals[method, part] = totals.get((method, part), 0.0) + seconds_of(read_json(path), "/".join(key), path)
    rows = [dict(zip(TIME_COLUMNS, (*key, f"{value:.6g}"))) for key, value in sorted(totals.items())]
    write_csv(args.times_out, rows, TIME_COLUMNS)


if __name__ == "__main__":
    run_step(main)
