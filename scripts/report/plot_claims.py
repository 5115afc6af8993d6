"""Draw a paper's claims as a forest plot: the printed difference and what each tier measured, with its verdict."""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from scripts.common.artifacts import add_output_flags
from scripts.common.errors import run_step
from scripts.common.figures import legend_above, save, save_empty
from scripts.common.files import read_csv
from scripts.common.plotting import FAINT, INK, new_figure
from scripts.report.claim_text import measured_difference, printed_difference
from scripts.report.claims import CLAIM_COLUMNS, CONTRARY, HOLDS, NOT_RUN, UNDECIDED
from scripts.report.manifest import paper_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {HOLDS: "#1b7837", CONTRARY: "#b2182b", UNDECIDED: "#6b6b6b", NOT_RUN: "#8a8a8a"}
DIAMOND = {"marker": "D", "markerfacecolor": "white", "markeredgecolor": INK, "markersize": 4.5, "linestyle": ""}
MARKERS = ("o", "s", "^", "v")
LINE_HEIGHT = 0.135  # inches of a line of text
FRAME_HEIGHT = 0.7  # inches of title, legend and axis
GAP = 0.7  # lines between claims
TEXT_WIDTH = 94  # letters in a line of a claim
FONT_SIZE = 6.5

Claims = Mapping[str, Sequence[Mapping[str, str]]]


def told(row: Mapping[str, str]) -> str:
    """Return a claim's measured difference in words: tier, value, interval, unit, verdict."""
    if not row["difference"]:
        return f"{row['tier']}: not run"
    return f"{row['tier']}: {measured_difference(row)}, {row['verdict']}"


def wrapped(row: Mapping[str, str]) -> list[str]:
    """Return the lines of a claim's text."""
    where = row["where"].replace(" ", "\N{NO-BREAK SPACE}")  # "Table 2" is not broken
    return textwrap.wrap(f"{row['text']} ({where})", TEXT_WIDTH)


def height_of(rows: Sequence[Mapping[str, str]]) -> float:
    """Return the lines that a claim takes: its text, one for what is printed, one a tier, and the gap below."""
    return len(wrapped(rows[0])) + any(row["published"] for row in rows) + len(rows) + GAP


def draw_claim(axes: Axes, top: float, rows: Sequence[Mapping[str, str]], markers: Mapping[str, str]) -> None:
    """Draw one claim from the line `top` on; it has its own scale, set by its largest number, and zero in the middle.

    markers: {tier: marker}.
    """
    text = wrapped(rows[0])
    beyond = {"fontsize": FONT_SIZE, "va": "center", "parse_math": False}
    for number, line in enumerate(text):
        axes.text(-1.08, top + number, line, **beyond).set_in_layout(False)
    first = place = top + len(text)
    numbers = [float(row[key]) for row in rows for key in ("difference", "low", "high", "published") if row[key]]
    scale = max((abs(number) for number in numbers), default=1.0) or 1.0
    printed = next((row for row in rows if row["published"]), None)
    if printed:
        axes.plot([float(printed["published"]) / scale], [place], **DIAMOND)
        axes.text(1.14, place, f"printed: {printed_difference(printed)}", **beyond)
        place += 1
    for row in rows:
        colour = COLOURS[row["verdict"]]
        if row["low"]:
            ends = [float(row["low"]) / scale, float(row["high"]) / scale]
            axes.plot(ends, [place] * 2, color=colour, linewidth=1.3)
        if row["difference"]:
            axes.plot([float(row["difference"]) / scale], [place], markers[row["tier"]], color=colour, markersize=4)
        axes.text(1.14, place, told(row), color=colour, **beyond)
        place += 1
    axes.plot([0, 0], [first - 0.5, place - 0.5], color=INK, linewidth=0.8, zorder=1)


def draw(axes: Axes, claims: Claims, markers: Mapping[str, str]) -> None:
    """Draw all claims of a paper, the first on top."""
    top = 0.0
    for rows in claims.values():
        draw_claim(axes, top, rows, markers)
        top += height_of(rows)
        axes.axhline(top - 0.5 - GAP / 2, color="#dddddd", linewidth=0.4)
    axes.set_xlim(-1.08, 1.08)
    axes.set_ylim(max(top, 1) - 0.5 - GAP / 2, -0.6)
    axes.set_yticks([])
    axes.set_xticks([-1, 0, 1], ["contrary", "no difference", "as claimed"])
    axes.tick_params(axis="x", length=0, labelsize=FONT_SIZE, top=True, bottom=False, labeltop=True, labelbottom=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.grid(False)


def name_looks(axes: Axes, claims: Claims, markers: Mapping[str, str]) -> None:
    """Put into the legend what is there: verdicts, the printed difference, and the tiers where there are several."""
    rows = [row for members in claims.values() for row in members]
    for verdict in (HOLDS, UNDECIDED, CONTRARY):
        if any(row["verdict"] == verdict for row in rows):
            axes.plot([], [], color=COLOURS[verdict], linewidth=2, label=verdict)
    if any(row["published"] for row in rows):
        axes.plot([], [], label="printed", **DIAMOND)
    for tier, marker in markers.items() if len(markers) > 1 else ():
        axes.plot([], [], marker, color=FAINT, markersize=4, label=f"{tier} tier")


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the claims of one paper."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--claims", required=True, nargs="+", help="CSVs of measure_claims, one a tier")
    parser.add_argument("--paper", required=True)
    parser.add_argument("--tier", required=True, help="tier of the run, for the stamp")
    add_output_flags(parser, ("pdf", "png", "csv"))
    args = parser.parse_args(argv)
    rows = [row for path in args.claims for row in read_csv(path, CLAIM_COLUMNS) if row["paper"] == args.paper]
    if not rows:
        reason = "no claim of this paper stands in config/published/claims.yaml"
        save_empty(reason, CLAIM_COLUMNS, args, note="reason")
        return
    claims: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        claims.setdefault(row["claim"], []).append(row)
    markers = {
        tier: MARKERS[number % len(MARKERS)] for number, tier in enumerate(dict.fromkeys(row["tier"] for row in rows))
    }
    lines = sum(map(height_of, claims.values()))
    figure, axes = new_figure("page", FRAME_HEIGHT + LINE_HEIGHT * lines)
    draw(axes, claims, markers)
    name_looks(axes, claims, markers)
    legend_above(figure, [axes])
    axes.set_title(f"{paper_name(args.paper)}: each claim on its own scale; bars: 95 % intervals", fontsize=7)
    shown: list[Mapping[str, Any]] = rows
    save(figure, shown, CLAIM_COLUMNS, args)


if __name__ == "__main__":
    run_step(main)
