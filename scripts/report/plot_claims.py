"""Draw a paper's claims as a forest plot: the printed difference and what each tier measured, with its verdict."""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from scripts.common.artifacts import add_output_flags
from scripts.common.errors import run_step
from scripts.common.figures import save
from scripts.common.files import read_csv
from scripts.common.plotting import FAINT, INK, new_figure
from scripts.report.claims import CLAIM_COLUMNS, CONTRARY, HOLDS, NOT_RUN, UNDECIDED, unit_of
from scripts.report.manifest import paper_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {HOLDS: "#1b7837", CONTRARY: "#b2182b", UNDECIDED: "#777777", NOT_RUN: "#bbbbbb"}
LABELS = {HOLDS: "holds", UNDECIDED: "not told apart (counting how many claims are asked)", CONTRARY: "contrary"}
MARKERS = ("o", "s", "^", "v")
ROW_HEIGHT = 0.42  # inches of one claim
FRAME_HEIGHT = 0.75  # inches of title and legend
TEXT_WIDTH = 58  # letters in a line of a claim


def told(row: Mapping[str, str]) -> str:
    """Return a claim's measured difference in words: value, interval, unit."""
    if not row["difference"]:
        return f"{row['tier']}: not run"
    unit, factor = unit_of(row["metric"])
    value = factor * float(row["difference"])
    digits = 3 if unit in ("AUC", "nats a token") else 1
    shown = f"{value:+.2g}" if abs(value) >= 1e5 else f"{value:+.{digits}f}"
    if not row["low"]:
        return f"{row['tier']}: {shown} {unit}, {row['verdict']}"
    low, high = (factor * float(row[end]) for end in ("low", "high"))
    return f"{row['tier']}: {shown} [{low:.{digits}f}, {high:.{digits}f}] {unit}, {row['verdict']}"


def draw_claim(axes: Axes, place: int, rows: Sequence[Mapping[str, str]]) -> None:
    """Draw one claim: each row of the plot has its own scale, set by its largest number, and zero in the middle."""
    numbers = [float(row[key]) for row in rows for key in ("difference", "low", "high", "published") if row[key]]
    scale = max((abs(number) for number in numbers), default=1.0) or 1.0
    printed = next((row["published"] for row in rows if row["published"]), "")
    if printed:
        axes.plot([float(printed) / scale], [place], "D", markerfacecolor="white", markeredgecolor=INK, markersize=4.5)
    for number, row in enumerate(row for row in rows if row["difference"]):
        height = place + 0.17 * number if not printed else place + 0.17 * (number + 1)
        colour = COLOURS[row["verdict"]]
        if row["low"]:
            axes.plot(
                [float(row["low"]) / scale, float(row["high"]) / scale], [height] * 2, color=colour, linewidth=1.3
            )
        marker = MARKERS[number % len(MARKERS)]
        axes.plot([float(row["difference"]) / scale], [height], marker, color=colour, markersize=4)


def draw(axes: Axes, claims: Mapping[str, Sequence[Mapping[str, str]]]) -> None:
    """Draw all claims of a paper, the first on top."""
    for place, rows in enumerate(claims.values()):
        draw_claim(axes, place, rows)
        text = "\n".join(textwrap.wrap(f"{rows[0]['text']} ({rows[0]['where']})", TEXT_WIDTH))
        axes.text(-1.12, place, text, ha="right", va="center", fontsize=6.5)
        printed = next((row for row in rows if row["published"]), None)
        lines = [told(row) for row in rows]
        if printed:
            unit, factor = unit_of(printed["metric"])
            lines.insert(0, f"printed: {factor * float(printed['published']):+.1f} {unit}")
        axes.text(1.12, place, "\n".join(lines), ha="left", va="center", fontsize=6.5)
        axes.axhline(place + 0.5, color=FAINT, linewidth=0.4)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_xlim(-1.08, 1.08)
    axes.set_ylim(len(claims) - 0.5, -0.5)
    axes.set_yticks([])
    axes.set_xticks([-1, 0, 1], ["contrary", "no difference", "as claimed"])
    axes.tick_params(axis="x", length=0, labelsize=6.5)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the claims of one paper."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--claims", required=True, nargs="+", help="CSVs of measure_claims, one a tier")
    parser.add_argument("--paper", required=True)
    parser.add_argument("--tier", required=True, help="tier of the run, for the stamp")
    add_output_flags(parser, ("pdf", "png", "csv"))
    args = parser.parse_args(argv)
    rows = [row for path in args.claims for row in read_csv(path, CLAIM_COLUMNS) if row["paper"] == args.paper]
    claims: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        claims.setdefault(row["claim"], []).append(row)
    height = FRAME_HEIGHT + ROW_HEIGHT * max(len(claims), 1)
    figure, axes = new_figure("double", height)
    draw(axes, claims)
    for verdict in (HOLDS, UNDECIDED, CONTRARY):
        axes.plot([], [], color=COLOURS[verdict], linewidth=2, label=LABELS[verdict])
    axes.plot([], [], "D", markerfacecolor="white", markeredgecolor=INK, markersize=4.5, linestyle="", label="printed")
    figure.legend(loc="outside upper center", ncols=4, fontsize=6.5)
    axes.set_title(f"{paper_name(args.paper)}: each line on its own scale, bars 95 % intervals", fontsize=7)
    shown: list[Mapping[str, Any]] = rows
    save(figure, shown, CLAIM_COLUMNS, args)


if __name__ == "__main__":
    run_step(main)
