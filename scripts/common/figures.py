"""What the figure steps of all papers share: saving, the cells of their CSV, and how an empty panel says why."""

from __future__ import annotations

import argparse
import logging
import textwrap
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from scripts.common.plotting import FAINT, new_figure, note_cut_intervals, save_figure, stamp_tier
from scripts.common.spread import Spread
from scripts.common.tables import Missing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SPREAD_COLUMNS = ("mean", "std", "low", "high", "n", "note")


def save(figure: Figure, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], args: argparse.Namespace) -> None:
    """Stamp a figure with the tier and write it where the step's flags `--pdf-out`, `--png-out` and `--csv-out` say."""
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # else it describes every font it puts into the PDF
    stamp_tier(figure, args.tier)
    note_cut_intervals(figure)
    save_figure(figure, rows, pdf=args.pdf_out, png=args.png_out, csv=args.csv_out, columns=columns)


def spread_cells(value: Spread | Missing) -> dict[str, Any]:
    """Return the columns mean, std, low, high, n and note of a measured or missing value."""
    if isinstance(value, Missing):
        return {"mean": "", "std": "", "low": "", "high": "", "n": 0, "note": value.reason}
    std = "" if value.std is None else value.std
    return {"mean": value.mean, "std": std, "low": value.low, "high": value.high, "n": value.n, "note": ""}


def legend_above(figure: Figure, panels: Sequence[Axes]) -> None:
    """Put one legend for all panels above them, in as few rows as its width allows; each label stands once."""
    found: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels()):
            found.setdefault(label, handle)
    for n_columns in range(len(found), 0, -1):
        legend = figure.legend(list(found.values()), list(found), loc="outside upper center", ncols=n_columns)
        if n_columns == 1 or legend.get_window_extent().width <= figure.bbox.width:
            break
        legend.remove()


def save_empty(reason: str, columns: Sequence[str], args: argparse.Namespace, *, note: str = "note") -> None:
    """Write a figure of which nothing could be drawn: small, with the reason once, and one row that says it.

    note: the column of the reason.
    """
    figure, axes = new_figure("single", 1.0)
    say_unavailable(axes, reason)
    save(figure, [{**dict.fromkeys(columns, ""), note: reason}], columns, args)


def say_unavailable(axes: Axes, reason: str) -> None:
    """Write into an empty panel why it is empty."""
    axes.set_axis_off()
    text = "not available:\n" + "\n".join(textwrap.wrap(reason, 34))
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes, color=FAINT, parse_math=False)
