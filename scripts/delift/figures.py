"""What the DELIFT figures share: their flags."""

from __future__ import annotations

import argparse
from typing import Mapping, Sequence

from scripts.common.artifacts import add_output_flags, reason_for


def why(notes: Sequence[Mapping[str, str]], setting: str, method: str, model: str) -> str:
    """Return why one value of a figure is missing. notes: those on the figure (`scripts.common.artifacts.reasons`)."""
    return reason_for(notes, setting, method, model) or "not measured in this run"


def parse_figure_args(argv: Sequence[str] | None, about: str | None) -> argparse.Namespace:
    """Return the flags of a figure's step."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--metrics", required=True, help="CSV in the long schema")
    parser.add_argument("--notes", required=True, help="CSV: what is missing and why")
    parser.add_argument("--settings", required=True, help="JSON: what the figures compare")
    parser.add_argument("--tier", required=True)
    add_output_flags(parser, ("pdf", "png", "csv"))
    return parser.parse_args(argv)
