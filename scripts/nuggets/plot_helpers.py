"""What the NUGGETS figures share: their flags and notes."""

from __future__ import annotations

import argparse

from scripts.common.files import PathLike, read_csv


def add_figure_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of every figure: the tier and where its three files go."""
    parser.add_argument("--tier", required=True)
    parser.add_argument("--pdf-out", required=True)
    parser.add_argument("--png-out", required=True)
    parser.add_argument("--csv-out", required=True, help="CSV: what the figure draws")


def reasons(notes: PathLike, artifact: str) -> list[dict[str, str]]:
    """Return the notes on one artifact: what is missing from it and why."""
    return [row for row in read_csv(notes, ("artifact", "setting", "method", "reason")) if row["artifact"] == artifact]
