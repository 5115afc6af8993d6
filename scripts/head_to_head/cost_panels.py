"""Panels that show what each method reaches against what it costs: a point with its interval each, costs logarithmic.

What costs nothing stands at the left, before the axis begins. Grey lines are the levels that are no method's: without
learning, and with everything.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Mapping, Sequence

from scripts.common.figures import SPREAD_COLUMNS, say_unavailable, spread_cells
from scripts.common.measured import Measured
from scripts.common.plotting import FAINT, draw_points
from scripts.common.point_labels import label_points
from scripts.common.spread import Spread
from scripts.common.tables import Missing
from scripts.head_to_head.comparison import ANSWERS, Selection
from scripts.selection.methods import method_label, method_style

NO_COST = "what it costs is not known in this run"
COLUMNS = ("panel", "method", "cost", "unit", *SPREAD_COLUMNS)


@dataclasses.dataclass(frozen=True)
class Panel:
    """One panel: its title, the points (method, cost, result), the grey levels, and a cost to compare with.

    left_out: (method, why) of those whose cost is not known, so that they have no place.
    """

    title: str
    points: Sequence[tuple[str, float, Spread | Missing]]
    levels: Sequence[tuple[str, Spread | Missing]]
    mark: tuple[str, float] | None
    unit: str
    left_out: Sequence[tuple[str, str]] = ()

    @property
    def empty(self) -> str | None:
        """Return why nothing can be drawn, None where something can."""
        if any(isinstance(value, Spread) for _, _, value in self.points):
            return None
        missing = [value.reason for _, _, value in self.points if isinstance(value, Missing)]
        return next(iter([*missing, *(reason for _, reason in self.left_out)]), "not measured in this run")


def selection_panel(
    measured: Measured,
    selection: Selection,
    percent: float,
    measure: str,
    costs: Mapping[str, float],
    mark: tuple[str, float] | None,
    unit: str,
) -> Panel:
    """Return the panel of one size of the subsets; costs: of every method."""
    measured, setting = selection.answers_of(measured), selection.setting(percent)
    points = [
        (method, costs[method], measured.cell(setting, method, measure, experiment=ANSWERS))
        for method in selection.methods
        if method in costs
    ]
    levels = [
        (level, measured.cell(selection.setting(selection.sizes(level)[0]), level, measure, experiment=ANSWERS))
        for level in ("initial", "full")
    ]
    left_out = [(method, NO_COST) for method in selection.methods if method not in costs]
    return Panel(f"{percent} % of the pool", points, levels, mark, unit, left_out)


def zero_place(costs: Sequence[float]) -> float:
    """Return where on a logarithmic axis a cost of nothing stands: a decade or more before the smallest other cost."""
    return 10.0 ** (math.floor(math.log10(min((cost for cost in costs if cost), default=1.0))) - 1)


def draw_panel(axes: Any, panel: Panel) -> None:
    """Draw the points, levels and the mark of one panel, or why it is empty."""
    if panel.empty is not None:
        say_unavailable(axes, panel.empty)
        return
    costs = [cost for _, cost, _ in panel.points]
    zero = zero_place(costs)
    drawn = [(method, cost or zero, value) for method, cost, value in panel.points if isinstance(value, Spread)]
    for method, cost, value in drawn:
        draw_points(axes, [cost], [value], method)
    axes.set_xscale("log")
    axes.set_xlim((zero if 0 in costs else min(costs)) / 2.5, max([*costs, zero * 100]) * 15)  # room for names
    ticks = [10.0**power for power in range(round(math.log10(zero)) + 1, 40)]
    ticks = [tick for tick in ticks if tick < axes.get_xlim()[1]]
    if 0 in costs:
        axes.set_xticks([zero, *ticks], ["0", *(f"$10^{{{round(math.log10(tick))}}}$" for tick in ticks)])
    axes.minorticks_off()
    axes.grid(False)
    for _, value in panel.levels:
        if isinstance(value, Spread):
            axes.axhline(value.mean, color=FAINT, linewidth=0.8, linestyle=":", zorder=0)
    if panel.mark and axes.get_xlim()[0] < panel.mark[1] < axes.get_xlim()[1]:
        axes.axvline(panel.mark[1], color=FAINT, linewidth=0.8, linestyle=":", zorder=0)
        axes.annotate(
            panel.mark[0], (panel.mark[1], 0), (-1, 2), xycoords=axes.get_xaxis_transform(),
            textcoords="offset points", ha="right", va="bottom", rotation=90, fontsize=6, color=FAINT,
        )  # fmt: skip


def name_levels(axes: Any, panel: Panel) -> None:
    """Write what the grey levels are beside the panel."""
    if panel.empty is not None:
        return
    for name, value in panel.levels:
        if isinstance(value, Spread):
            axes.annotate(
                method_label(name), (1, value.mean), (2, 0), xycoords=axes.get_yaxis_transform(),
                textcoords="offset points", va="center", fontsize=6, color=FAINT,
            )  # fmt: skip


def name_points(axes: Any, panel: Panel) -> None:
    """Write the methods' names beside their points."""
    if panel.empty is not None:
        return
    zero = zero_place([cost for _, cost, _ in panel.points])
    label_points(
        axes,
        [
            (cost or zero, value, method_label(method), method_style(method).color)
            for method, cost, value in panel.points
            if isinstance(value, Spread)
        ],
    )


def rows_of(panel: Panel, measure: str) -> list[dict[str, Any]]:
    """Return what a panel draws."""
    title = f"{measure}, {panel.title}"
    points = [(method, cost, value) for method, cost, value in panel.points]
    points += [(method, "", value) for method, value in panel.levels]
    points += [(method, "", Missing(reason)) for method, reason in panel.left_out]
    return [
        dict(zip(COLUMNS, (title, method, cost, panel.unit)), **spread_cells(value)) for method, cost, value in points
    ]
