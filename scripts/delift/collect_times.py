"""Gather the seconds that choosing took, as the steps measured them: for the timing table only, never for metrics."""

from __future__ import annotations

import argparse
from typing import Any, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import read_json, write_csv
from scripts.delift.comparison import TIME_COLUMNS


def seconds_of(run: Any, path: str) -> dict[str, float]:
    """Return {what: seconds} of a run file: one number, or several by name."""
    try:
        seconds = run["seconds"]
        values = seconds if isinstance(seconds, dict) else {"": seconds}
        return {name: float(value) for name, value in values.items()}
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{path}: no 'seconds' in it; run the step again that writes it") from None


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", nargs="*", required=True, help="run files with seconds")
    parser.add_argument("--parts", nargs="*", required=True, help="<pair>/<model>/<part> of each run file")
    parser.add_argument("--times-out", required=True, help="CSV: " + ", ".join(TIME_COLUMNS))
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Add up the seconds of each part and write them."""
    args = parse_args(argv)
    if len(args.runs) != len(args.parts):
        raise UserError(f"--parts: {len(args.parts)} for {len(args.runs)} run files; give one for each")
    totals: dict[tuple[str, str, str], float] = {}
    for path, place in zip(args.runs, args.parts):
        if place.count("/") < 2:
            raise UserError(f"--parts: '{place}' is not of the form <pair>/<model>/<part>")
        pair, model, part = place.split("/", 2)
        for name, seconds in seconds_of(read_json(path), path).items():
            key = (pair, model, f"{part}/{name}" if name else part)
            totals[key] = totals.get(key, 0.0) + seconds
    rows = [dict(zip(TIME_COLUMNS, (*key, f"{value:.6g}"))) for key, value in sorted(totals.items())]
    write_csv(args.times_out, rows, TIME_COLUMNS)


if __name__ == "__main__":
    run_step(main)
