"""What the MEND figures share: flags, and the values of one artifact."""

from __future__ import annotations

import argparse
from typing import Sequence

from scripts.common.artifacts import Artifact, add_input_flags, add_output_flags
from scripts.common.settings import parse_settings
from scripts.mend.comparison import Comparison

SCORE_LABEL = "score (%)"


def parse_figure_args(argv: Sequence[str] | None, about: str | None) -> argparse.Namespace:
    """Return the flags of a figure's step."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", required=True, help="JSON: what is compared")
    add_input_flags(parser)
    add_output_flags(parser, ("pdf", "png", "csv"))
    return parser.parse_args(argv)


def read_artifact(args: argparse.Namespace, name: str) -> tuple[Artifact, Comparison]:
    """Return the values of an artifact and what is compared."""
    settings = parse_settings(Comparison, args.settings)
    return Artifact(name, args.metrics, args.notes, args.published), settings
