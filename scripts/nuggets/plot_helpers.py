"""What the NUGGETS figures share: their flags, and how a figure says that it has nothing to draw."""

from __future__ import annotations

import argparse
import logging
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from scripts.common.files import PathLike, read_csv
from scripts.common.plotting import FAINT, save_figure, stamp_tier

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def add_figure_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of every figure: the tier and where its three files go."""
    parser.add_argument("--tier", required=True)
    parser.add_argument("--pdf-out", required=True)
    parser.add_argument("--png-out", required=True)
    parser.add_argument("--csv-out", required=True, help="CSV: what the figure draws")


def save(figure: Figure, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], args: argparse.Namespace) -> None:
    """Stamp and write a figure where the flags of `add_figure_flags` say."""
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # else it describes every font it puts into the PDF
    stamp_tier(figure, args.tier)
    save_figure(figure, rows, pdf=args.pdf_out, png=args.png_out, csv=args.csv_out, columns=columns)


def reasons(notes: PathLike, artifact: str) -> list[dict[str, str]]:
    """Return the notes on one artifact: what is missing from it and why."""
    return [row for row in read_csv(notes, ("artifact", "setting", "method", "reason")) if row["artifact"] == artifact]


def say_unavailable(axes: Axes, reason: str) -> None:
    """Write into an empty panel why it is empty."""
    import textwrap

    axes.set_axis_off()
    text = "not available:\n" + "\n".join(textwrap.wrap(reason, 34))
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes, color=FAINT, parse_math=False)
