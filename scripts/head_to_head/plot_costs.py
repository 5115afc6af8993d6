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
from scripts.head_to_head.comparison import CHOOSING, PARTS, TRAINING, Comparison, Demonstrations, Selection, setting_of
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


def demonstration_panels(artifact: Artifact, shown: Demonstrations, measure: str) -> list[Panel]:
    """Return two panels: the operations of one question, and of all of them with preparing and training."""
    n = artifact.count("answers", measure)
    found: tuple[list[Any], list[Any]] = ([], [])
    for method in shown.methods:
        value = artifact.cell("answers", method, measure)
        costs = [artifact.number(part, method, "flops") for part in PARTS]
        known = [cost for cost in costs if not isinstance(cost, Missing)]
        if n and len(known) == len(PARTS):
            training, preparing, asking = known
            found[0].append((method, asking / GIGA, value))
            found[1].append((method, (training + preparing + n * asking) / GIGA, value))
    titles = ("A question, once prepared", f"Training, preparing, {n} questions")
    return [Panel(title, points, [], None) for title, points in zip(titles, found)]


def zero_place(costs: Sequence[float]) -> float:
    """Return where on a logarithmic axis a cost of nothing stands: a decade or more before the smallest other cost."""
    return 10.0 ** (math.floor(math.log10(min((cost for cost in costs if cost), default=1.0))) - 1)


def draw_panel(axes: Any, panel: Panel) -> None:
    """Draw the points, levels and the mark of one panel."""
    costs = [cost for _, cost, _ in panel.points]
    zero = zero_place(costs)
    drawn = [(method, cost or zero, value) for method, cost, value in panel.points if isinstance(value, Spread)]
    for method, cost, value in drawn:
        draw_points(axes, [cost], [value], method)
    axes.set_xscale("log")
    axes.set_xlim((zero if 0 in costs else min(costs)) / 2.5, max([*costs, zero * 100]) * 25)  # room for names
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
    parser.add_argument("--artifact", required=True, choices=("figure_selection", "figure_demonstrations"))
    add_input_flags(parser)
    parser.add_argument("--settings", required=True, help="JSON: what is compared")
    add_output_flags(parser, ("pdf", "png", "csv"))
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    args = parse_args(argv)
    compared = parse_settings(Comparison, args.settings)
    source = args.artifact.replace("figure", "table")  # both show the same values
    artifact = Artifact(source, args.metrics, args.notes, args.published)
    if not artifact.measured:
        figure, axes = new_figure("single", 1.5)
        reason = artifact.notes[0]["reason"] if artifact.notes else "not measured in this run"
        say_unavailable(axes, reason)
        save(figure, [{**dict.fromkeys(COLUMNS, ""), "note": reason}], COLUMNS, args)
        return
    if args.artifact == "figure_selection":
        panels = {name: selection_panels(artifact, compared.choices, name) for name in compared.choices.shown}
        cost = "operations of choosing (GFLOP)"
    else:
        panels = {"accuracy": demonstration_panels(artifact, compared.shown, "accuracy")}
        cost = "operations (GFLOP)"
    n_columns = len(next(iter(panels.values())))
    height = PANEL_HEIGHT * len(panels) + 0.2
    figure, grid = new_figure("double", height, len(panels), n_columns, squeeze=False, sharex="col", sharey="row")
    rows = draw_figure(grid, panels, cost)
    save(figure, rows, COLUMNS, args)


if __name__ == "__main__":
    run_step(main)
