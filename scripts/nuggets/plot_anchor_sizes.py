"""Draw how the golden score depends on the number of anchors (NUGGETS, ablation of the anchor set's size).

Anchors are drawn at random from the main anchor set, several times for each size.
"""

from __future__ import annotations

import math
import textwrap
from typing import Any, Mapping, Sequence

from scripts.common.artifacts import FIGURE, artifact_flags
from scripts.common.errors import run_step
from scripts.common.figures import legend_above, save, say_unavailable
from scripts.common.measured import NOT_MEASURED, Measured
from scripts.common.plotting import new_figure
from scripts.nuggets.golden_files import effect_notes
from scripts.nuggets.selection_quality import AGREEMENT, AUC
from scripts.selection.methods import method_style

COLUMNS = ("metric", "n_anchors", "median", "low", "high", "n_draws", "note")
PANELS = (
    (AUC, "AUC, known good examples"),
    (AGREEMENT, "rank correlation with all anchors"),
)
PREFIX = "n_anchors_"
RANGE = (0.1, 0.9)  # of the draws that the band covers


def quantile(values: Sequence[float], share: float) -> float:
    """Return the quantile of the values, linear between neighbours."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def by_size(measured: Measured, metric: str) -> dict[int, list[float]]:
    """Return the values of all draws for each number of anchors, ascending."""
    found: dict[int, list[float]] = {}
    for row in measured.rows:
        if row["metric"] == metric and row["setting"].startswith(PREFIX):
            found.setdefault(int(row["setting"].removeprefix(PREFIX)), []).append(float(row["value"]))
    return dict(sorted(found.items()))


def draw(axes: Any, values: Mapping[int, Sequence[float]], label: str) -> list[tuple[int, float, float, float, int]]:
    """Draw medians over the draws with a band from the 10 % to the 90 % quantile; return what is drawn."""
    points = [
        (size, quantile(drawn, 0.5), quantile(drawn, RANGE[0]), quantile(drawn, RANGE[1]), len(drawn))
        for size, drawn in values.items()
    ]
    style = method_style("nuggets")
    sizes = [point[0] for point in points]
    axes.fill_between(
        sizes,
        [p[2] for p in points],
        [p[3] for p in points],
        color=style.color,
        alpha=0.18,
        linewidth=0,
        label="80 % of draws",
    )
    axes.plot(sizes, [p[1] for p in points], color=style.color, marker=style.marker, label="median of draws")
    axes.set_xscale("log")
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.minorticks_off()
    axes.set_xlabel("anchors")
    axes.set_ylabel(label)
    return points


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    args = artifact_flags(argv, __doc__, FIGURE)
    figure, panels = new_figure("double", 2.6, ncols=2)
    rows: list[dict[str, Any]] = []
    for axes, (metric, label) in zip(panels, PANELS):
        values = by_size(args.measured, metric)
        if values:
            rows += [dict(zip(COLUMNS, (metric, *point, ""))) for point in draw(axes, values, label)]
        else:
            reason = args.measured.reason(metric=metric) or NOT_MEASURED
            say_unavailable(axes, reason)
            rows.append(dict(zip(COLUMNS, (metric, "", "", "", "", 0, reason))))
    for note in effect_notes(args.measured.rows):
        panels[0].set_title("\n".join(textwrap.wrap(note, 44)), fontsize=6.5)
    legend_above(figure, panels)
    save(figure, rows, COLUMNS, args)


if __name__ == "__main__":
    run_step(main)
