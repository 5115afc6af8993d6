"""What the MEND figures share: flags, values of one artifact, saving, and how an empty panel says why it is empty."""

from __future__ import annotations

import argparse
import logging
import textwrap
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from scripts.common.artifacts import Artifact, add_input_flags, add_output_flags
from scripts.common.plotting import FAINT, save_figure, stamp_tier
from scripts.common.settings import parse_settings
from scripts.common.spread import Spread
from scripts.common.tables import Missing
from scripts.mend.comparison import Comparison

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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


def save(figure: Figure, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], args: argparse.Namespace) -> None:
    """Stamp and write a figure where the flags say."""
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # else it describes every font it puts into the PDF
    stamp_tier(figure, args.tier)
    save_figure(figure, rows, pdf=args.pdf_out, png=args.png_out, csv=args.csv_out, columns=columns)


def spread_cells(value: Spread | Missing) -> dict[str, Any]:
    """Return the columns mean, std, low, high, n and note of a measured or missing value."""
    if isinstance(value, Missing):
        return {"mean": "", "std": "", "low": "", "high": "", "n": 0, "note": value.reason}
    std = "" if value.std is None else value.std
    return {"mean": value.mean, "std": std, "low": value.low, "high": value.high, "n": value.n, "note": ""}


SPREAD_COLUMNS = ("mean", "std", "low", "high", "n", "note")


def say_unavailable(axes: Axes, reason: str) -> None:
    """Write into an empty panel why it is empty."""
    axes.set_axis_off()
    text = "not available:\n" + "\n".join(textwrap.wrap(reason, 34))
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes, color=FAINT, parse_math=False)
