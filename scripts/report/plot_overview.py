"""Draw the main claim of every paper in one figure: a panel each, with means and intervals over seeds."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Sequence

from scripts.common.artifacts import add_output_flags
from scripts.common.bounds import bounds_of
from scripts.common.errors import UserError, run_step
from scripts.common.figures import SPREAD_COLUMNS, save, say_unavailable, spread_cells
from scripts.common.measured import NOT_MEASURED
from scripts.common.metrics import read_metrics, with_value
from scripts.common.plotting import FAINT, draw_across, new_figure
from scripts.common.settings import parse_json, settings_of
from scripts.common.spread import Spread, spreads_by
from scripts.common.tables import Missing
from scripts.report.manifest import NO_PAPERS, paper_name
from scripts.selection.methods import method_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = ("paper", "experiment", "setting", "model", "method", "metric", *SPREAD_COLUMNS)
PANELS_IN_A_ROW = 2
KEY = (
    "Points: means over seeds. Lines: 95 % intervals, hidden where they are narrower than the point."
    "\nBold on grey: the papers' own methods."
)
OWN = {
    "mend": ("mend",),
    "ddg": ("ddg", "dilm"),
    "step_by_step": ("distilling_step_by_step",),
    "delift": ("delift",),
    "nuggets": ("top", "nuggets"),
    "head_to_head": ("nuggets", "delift"),
}
"""The methods that a paper proposes; a threshold of the golden score is NUGGETS' too."""
OWN_SHADE = "#eeeeea"
TICKS = 4  # numbers on an axis, at most
HEADING = "heading"  # marks the texts above a panel
ROW_HEIGHT = 0.165  # inches of one method's line
FRAME_HEIGHT = 0.8  # inches of title and axis of a row of panels
KEY_HEIGHT = 0.3  # inches of the key below all


@dataclass(frozen=True)
class Claim:
    """What one panel shows: values of one metric.

    experiment: what was measured, for values that name none of their own; about: what was done, below the paper's
    name; axis: the metric's printed name with its unit; decimals: of the printed means; values: {"method": name,
    "setting": where it was measured} and, where it is another than the claim's, "experiment", from top to bottom.
    """

    experiment: str
    model: str
    metric: str
    about: str
    axis: str
    decimals: int
    values: list[dict[str, str]]


def claim_rows(paper: str, claim: Claim, metrics: Sequence[dict[str, str]]) -> list[tuple[dict[str, Any], Any]]:
    """Return (row of the CSV, measured spread or why there is none) for each value of a panel.

    What compares the papers' methods shares its levels, the untouched model and all data, with the paper whose data it
    uses: there a value that is not its own is looked up among the others'.
    """
    fitting = [row for row in with_value(metrics) if (row["model"], row["metric"]) == (claim.model, claim.metric)]
    key = ("experiment", "setting", "method")
    found: dict[tuple[str, ...], Spread] = {}
    if paper in NO_PAPERS:
        for other in dict.fromkeys(row["paper"] for row in fitting):
            found |= spreads_by([row for row in fitting if row["paper"] == other], key)
    found |= spreads_by([row for row in fitting if row["paper"] == paper], key)
    rows = []
    for value in claim.values:
        experiment = value.get("experiment", claim.experiment)
        cell: Spread | Missing = found.get((experiment, value["setting"], value["method"]), Missing(NOT_MEASURED))
        about = (paper, experiment, value["setting"], claim.model, value["method"], claim.metric)
        rows.append(({**dict(zip(COLUMNS, about)), **spread_cells(cell)}, cell))
    return rows


def is_own(paper: str, method: str) -> bool:
    """Tell whether a paper proposes a method."""
    return method in OWN.get(paper, ()) or (paper == "nuggets" and method.startswith("gt_"))


def draw_panel(axes: Axes, paper: str, claim: Claim, cells: Sequence[Spread | Missing]) -> None:
    """Draw one line per method: its mean as a point with the interval, and as a number at the right."""
    from matplotlib.ticker import MaxNLocator

    name = paper_name(paper)
    axes.set_title(name, pad=14, gid=HEADING)
    axes.text(0, 1.03, claim.about, transform=axes.transAxes, color=FAINT, fontsize=6.5, gid=HEADING)
    if all(isinstance(cell, Missing) for cell in cells):
        say_unavailable(axes, cells[0].reason if isinstance(cells[0], Missing) else "")
        return
    for place, (value, cell) in enumerate(zip(claim.values, cells)):
        if isinstance(cell, Missing):
            axes.annotate("—", (0.02, place), xycoords=axes.get_yaxis_transform(), va="center", color=FAINT)
            continue
        draw_across(axes, place, cell, value["method"], bounds=bounds_of(claim.metric))
        axes.annotate(
            f"{cell.mean:.{claim.decimals}f}",
            (1.02, place),
            xycoords=axes.get_yaxis_transform(),
            va="center",
            fontsize=7,
        )
    labels = [method_style(value["method"]).label for value in claim.values]
    axes.set_yticks(range(len(cells)), labels)
    for place, (value, label) in enumerate(zip(claim.values, axes.get_yticklabels())):
        if is_own(paper, value["method"]):
            label.set_fontweight("bold")
            axes.axhspan(place - 0.45, place + 0.45, color=OWN_SHADE, linewidth=0, zorder=0)
    axes.set_ylim(len(cells) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=6.5)
    axes.margins(x=0.08)
    axes.xaxis.set_major_locator(MaxNLocator(TICKS - 1, steps=[1, 2, 2.5, 5, 10], min_n_ticks=3))
    axes.grid(axis="x")
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(claim.axis)


def align_headings(figure: Figure, grid: Any) -> None:
    """Move the headings of a column of panels to the left edge of its methods' names, which only the layout knows."""
    headings = [
        [(axes, text) for axes in column for text in axes.get_children() if text.get_gid() == HEADING]
        for column in zip(*grid)
    ]
    for _, text in (heading for column in headings for heading in column):
        text.set_in_layout(False)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # places stay as they are now
    for column in headings:
        named = [axes for axes, _ in column if axes.axison]  # an empty panel has no names, only why it is empty
        edges = [label.get_window_extent().x0 for axes in named for label in axes.get_yticklabels()]
        for axes, text in column:
            text.set_x(axes.transAxes.inverted().transform((min(edges, default=axes.bbox.x0), 0))[0])


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--metrics", required=True, help="CSV of all measured values")
    parser.add_argument("--claims", required=True, help="JSON: {paper: experiment, model, metric, about, axis, values}")
    parser.add_argument("--papers", required=True, nargs="+", help="papers to show, in this order")
    parser.add_argument("--tier", required=True)
    add_output_flags(parser, ("pdf", "png", "csv"))
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    args = parse_args(argv)
    given = parse_claims(args.claims)
    claims = {paper: given[paper] for paper in args.papers if paper in given}
    if not claims:
        raise UserError("--claims: none is about a paper of --papers; add one to config: overview")
    metrics = read_metrics(args.metrics)
    columns = min(PANELS_IN_A_ROW, len(claims))
    lines = -(-len(claims) // columns)
    most = max(len(claim.values) for claim in claims.values())
    height = lines * (FRAME_HEIGHT + ROW_HEIGHT * most) + KEY_HEIGHT
    figure, grid = new_figure("page", height, lines, columns, squeeze=False)
    rows: list[dict[str, Any]] = []
    for axes, paper in zip(grid.flat, claims):
        cells = claim_rows(paper, claims[paper], metrics)
        draw_panel(axes, paper, claims[paper], [cell for _, cell in cells])
        rows += [row for row, _ in cells]
    for axes in grid.flat[len(claims) :]:
        axes.set_axis_off()
    figure.supxlabel(KEY, x=0.005, ha="left", color=FAINT, fontsize=6.5, linespacing=1.4)
    align_headings(figure, grid)
    save(figure, rows, COLUMNS, args)


def parse_claims(text: str) -> dict[str, Claim]:
    """Return {paper: claim} from the JSON of `--claims`."""
    claims = parse_json("--claims", text, dict)
    return {paper: settings_of(Claim, claim, f"--claims: {paper}") for paper, claim in claims.items()}


if __name__ == "__main__":
    run_step(main)
