"""What the MEND figures share: flags, the values that they are given, and what is compared."""

from __future__ import annotations

import argparse
from typing import Sequence

from scripts.common.artifacts import FIGURE, artifact_flags
from scripts.common.settings import parse_settings
from scripts.mend.comparison import Comparison

SCORE_LABEL = "score (%)"


def figure_flags(argv: Sequence[str] | None, about: str | None) -> tuple[argparse.Namespace, Comparison]:
    """Return the flags of a figure's step, with the values it is given as `measured`, and what is compared."""
    args = artifact_flags(argv, about, FIGURE)
    return args, parse_settings(Comparison, args.settings)
