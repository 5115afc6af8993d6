"""Panels that show what each method reaches against what it costs: a point with its interval each, costs logarithmic.

What costs nothing stands at the left, before the axis begins. Grey lines are the levels that are no method's: without
learning, and with everything.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Mapping, Sequence

from scripts.common.bounds import bounds_of
from scripts.common.figures import SPREAD_COLUMNS, say_unavailable, spread_cells
from scripts.common.measured import Measured
from scripts.common.plotting import FAINT, draw_points
from scripts.common.point_labels import asides, label_points, name_mark
from scripts.common.spread import Spread
from scripts.common.tables import Missing
from scripts.head_to_head.comparison import ANSWERS, Selection
from scripts.selection.methods import method_label, method_style

NO_COST = "what it costs is not known in this run"
COLUMNS = ("panel", "method", "cost", "unit", *SPREAD_COLUMNS)


@dataclasses.dataclass(frozen=True)
class Panel:
    """One panel: its title, the points (method, cost, result) of a measure, grey levels, and a cost to compare with.

    left_out: (method, why) of those whose cost is not known, so that they have no place.
    """

    title: str
    points: Sequence[tuple[str, float, Spread | Missing]]
    levels: Sequence[tuple[str, Spread | Missing]]
    mark: tuple[str, float] | None
    unit: str
    measure: str
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
    return Panel(f"{percent} % of the pool", points, levels, mark, unit, measure, left_out)


def zero_place(costs: Sequence[float]) -> float:
    """Return where on a logarithmic axis a cost of nothing stands: a decade or more before the smallest other cost."""
    return 10.0 ** (math.floor(math.log10(min((cost for cost in costs if cost), default=1.0))) - 1)


def draw_panel(axes: Any, panel: Panel) -> list[float]:
    """Draw the points, levels and the mark of one panel, or why it is empty.

    Returns how far aside each point is drawn, in points: methods of equal cost stand beside each other.
    """
    if panel.empty is not None:
        say_unavailable(axes, panel.empty)
        return []
    costs = [cost for _, cost, _ in panel.points]
    zero = zero_place(costs)
    axes.set_xscale("log")
    axes.set_xlim((zero if 0 in costs else min(costs)) / 2.5, max([*costs, zero * 100]) * 15)  # room for names
    limits = axes.get_xlim()
    drawn = drawn_points(panel)
    aside = asides(axes, [cost for cost, _, _, _ in drawn])
    for (cost, value, _, method), shift in zip(drawn, aside):
        draw_points(axes, [cost], [value], method, shift=shift, bounds=bounds_of(panel.measure))
    axes.set_xlim(limits)
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
    return aside


def drawn_points(panel: Panel) -> list[tuple[float, Spread, str, str]]:
    """Return (place, result, printed name, method) of what is drawn; what costs nothing has a place before the axis."""
    zero = zero_place([cost for _, cost, _ in panel.points])
    return [
        (cost or zero, value, method_label(method), method)
        for method, cost, value in panel.points
        if isinstance(value, Spread)
    ]


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


def name_points(axes: Any, panel: Panel, aside: Sequence[float]) -> None:
    """Write the methods' names beside their points, and what the vertical line is; aside: as `draw_panel` returned."""
    if panel.empty is not None:
        return
    points = [(place, value, name, method_style(method).color) for place, value, name, method in drawn_points(panel)]
    if panel.mark and axes.get_xlim()[0] < panel.mark[1] < axes.get_xlim()[1]:
        name_mark(axes, panel.mark[1], panel.mark[0], points, aside)
    label_points(axes, points, aside)


def rows_of(panel: Panel, measure: str) -> list[dict[str, Any]]:
    """Return what a panel draws."""
    title = f"{measure}, {panel.title}"
    points = [(method, cost, value) for method, cost, value in panel.points]
    points += [(method, "", value) for method, value in panel.levels]
    points += [(method, "", Missing(reason)) for method, reason in panel.left_out]
    return [
        dict(zip(COLUMNS, (title, method, cost, panel.unit)), **spread_cells(value)) for method, cost, value in points
    ]
