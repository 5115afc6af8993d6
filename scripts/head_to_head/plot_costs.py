"""Draw what each method reaches against what it costs: a point with its 95 % interval per method, costs logarithmic.

What asks no model costs nothing and stands at the left, before the axis begins. Grey lines are the levels that are no
method's: without learning, and with everything.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
from typing import Any, Mapping, Sequence

from scripts.common.artifacts import Artifact, add_input_flags, add_output_flags
from scripts.common.errors import run_step
from scripts.common.figures import SPREAD_COLUMNS, save, say_unavailable, spread_cells
from scripts.common.plotting import FAINT, draw_points, method_label, method_style, new_figure
from scripts.common.point_labels import label_points
from scripts.common.settings import parse_settings
from scripts.common.spread import Spread
from scripts.common.tables import Missing
from scripts.head_to_head.comparison import CHOOSING, TRAINING, Comparison, Selection, setting_of
from scripts.head_to_head.measures import GIGA, MEASURES

COLUMNS = ("panel", "method", "gflops", *SPREAD_COLUMNS)
PANEL_HEIGHT = 2.3  # inches


@dataclasses.dataclass(frozen=True)
class Panel:
    """One panel: its title, the points (method, GFLOP, result), the grey levels, and a cost to compare with."""

    title: str
    points: Sequence[tuple[str, float, Spread | Missing]]
    levels: Sequence[tuple[str, Spread | Missing]]
    mark: tuple[str, float] | None


def selection_panels(artifact: Artifact, selection: Selection, measure: str) -> list[Panel]:
    """Return a panel for each size of the subsets."""
    panels = []
    training = artifact.number(TRAINING, "finetune", "flops")
    for percent in selection.percents:
        setting = setting_of(percent)
        points = []
        for method in selection.methods:
            flops = artifact.number(CHOOSING, method, "flops")
            if not isinstance(flops, Missing):
                points.append((method, flops / GIGA, artifact.cell(setting, method, measure)))
        levels = [("initial", artifact.cell("percent_0", "initial", measure))]
        levels.append(("full", artifact.cell("percent_100", "full", measure)))
        mark = None if isinstance(training, Missing) else ("one training run", training / GIGA)
        panels.append(Panel(f"{percent} % of the pool", points, levels, mark))
    return panels


def zero_place(costs: Sequence[float]) -> float:
    """Return where on a logarithmic axis a cost of nothing stands: a decade or more before the smallest other cost."""
    return 10.0 ** (math.floor(math.log10(min((cost for cost in costs if cost), default=1.0))) - 1)


def draw_panel(axes: Any, panel: Panel) -> None:
    """Draw the points, levels and the mark of one panel."""
    zero = zero_place([cost for _, cost, _ in panel.points])
    drawn = [(method, cost or zero, value) for method, cost, value in panel.points if isinstance(value, Spread)]
    for method, cost, value in drawn:
        draw_points(axes, [cost], [value], method)
    axes.set_xscale("log")
    axes.set_xlim(zero / 2.5, max(cost for _, cost, _ in [*drawn, ("", zero * 100, None)]) * 25)
    ticks = [10.0**power for power in range(round(math.log10(zero)) + 1, 40)]
    ticks = [tick for tick in ticks if tick < axes.get_xlim()[1]]
    if any(cost == 0 for _, cost, _ in panel.points):
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
    for name, value in panel.levels:
        if isinstance(value, Spread):
            axes.annotate(
                method_label(name), (1, value.mean), (2, 0), xycoords=axes.get_yaxis_transform(),
                textcoords="offset points", va="center", fontsize=6, color=FAINT,
            )  # fmt: skip


def name_points(axes: Any, panel: Panel) -> None:
    """Write the methods' names beside their points."""
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
    return [dict(zip(COLUMNS, (title, method, cost)), **spread_cells(value)) for method, cost, value in points]


def draw_figure(grid: Any, panels: Mapping[str, Sequence[Panel]], cost: str) -> list[dict[str, Any]]:
    """Draw a row of panels for each measure and return what they show; `cost`: how the axis of costs is called."""
    rows: list[dict[str, Any]] = []
    for number, (line, (measure, group)) in enumerate(zip(grid, panels.items())):
        header, unit, _ = MEASURES[measure]
        line[0].set_ylabel(header + (f"\n({unit})" if unit else ""))
        for axes, panel in zip(line, group):
            draw_panel(axes, panel)
            if number == 0:
                axes.set_title(panel.title)
            if number == len(grid) - 1:
                axes.set_xlabel(cost)
            rows += rows_of(panel, measure)
        name_levels(line[-1], group[-1])
    for line, group in zip(grid, panels.values()):
        for axes, panel in zip(line, group):
            name_points(axes, panel)
    return rows


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_input_flags(parser)
    parser.add_argument("--settings", required=True, help="JSON: what is compared")
    add_output_flags(parser, ("pdf", "png", "csv"))
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    args = parse_args(argv)
    selection = parse_settings(Comparison, args.settings).choices
    artifact = Artifact("table_selection", args.metrics, args.notes, args.published)
    if not artifact.measured:
        figure, axes = new_figure("single", 1.5)
        reason = artifact.notes[0]["reason"] if artifact.notes else "not measured in this run"
        say_unavailable(axes, reason)
        save(figure, [{**dict.fromkeys(COLUMNS, ""), "note": reason}], COLUMNS, args)
        return
    panels = {name: selection_panels(artifact, selection, name) for name in selection.shown}
    height = PANEL_HEIGHT * len(panels) + 0.2
    figure, grid = new_figure(
        "double", height, len(panels), len(selection.percents), squeeze=False, sharex=True, sharey="row"
    )
    rows = draw_figure(grid, panels, "operations of choosing (GFLOP)")
    save(figure, rows, COLUMNS, args)


if __name__ == "__main__":
    run_step(main)
