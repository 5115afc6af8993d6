"""Draw how accuracy depends on the number of texts, in learners and in prompts, on the decay and on the temperature."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from scripts.common.artifacts import Artifact, add_input_flags, add_output_flags
from scripts.common.errors import run_step
from scripts.common.figures import SPREAD_COLUMNS, legend_above, save, say_unavailable, spread_cells
from scripts.common.plotting import draw_line, draw_points, new_figure, shifts
from scripts.common.settings import parse_settings
from scripts.common.spread import Spread
from scripts.ddg.comparison import SCORE, Comparison

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SWEPT = {"decay": "teacher's decay (0: none)", "temperature": "temperature"}
"""Settings that are varied, with the label of their axis; one value alone would vary nothing and is not drawn."""
COLUMNS = ("panel", "x", "method", "model", *SPREAD_COLUMNS)


class Panels:
    """Draws panels and keeps the rows they show."""

    def __init__(self, artifact: Artifact) -> None:
        self.artifact = artifact
        self.rows: list[dict[str, Any]] = []

    def points(self, panel: str, model: str, places: Mapping[str, str]) -> list[tuple[float, str, Spread]]:
        """Return the measured (x, method, value) of settings `<panel>_<x>`; places: {x: method}."""
        found = []
        for x, method in places.items():
            cell = self.artifact.cell(f"{panel}_{x}", method, SCORE, model=model)
            self.rows.append({"panel": panel, "x": x, "method": method, "model": model, **spread_cells(cell)})
            if isinstance(cell, Spread):
                found.append((float(x), method, cell))
        return found

    def curves(self, axes: Axes, panel: str, model: str, methods: Sequence[str], numbers: Sequence[int]) -> None:
        """Draw a line for each method over numbers of texts."""
        drawn = False
        for method, shift in zip(methods, shifts(len(methods))):
            found = self.points(panel, model, {str(number): method for number in numbers})
            if found:
                draw_line(axes, [x for x, _, _ in found], [value for _, _, value in found], method, shift=shift)
                drawn = True
        if not drawn:
            say_unavailable(axes, self.rows[-1]["note"])
            return
        axes.set_xticks(list(numbers))
        axes.set_xlabel("texts a class")

    def sweep(self, axes: Axes, panel: str, model: str, places: Mapping[str, str]) -> None:
        """Draw a point for each value of a setting, evenly spaced."""
        found = self.points(panel, model, places)
        if not found:
            say_unavailable(axes, self.rows[-1]["note"] if places else "no value is asked for in this tier")
            return
        for place, (_, method, value) in enumerate(found):
            draw_points(axes, [place], [value], "ddg" if method.startswith("ddg") else "dilm")
            axes.annotate(f"{value.mean:.1f}", (place, value.mean), xytext=(6, -2), textcoords="offset points", size=6)
        axes.set_xticks(range(len(found)), [f"{x:g}" for x, _, _ in found])
        axes.set_xlim(-0.6, len(found) - 0.4)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="JSON: what is compared")
    add_input_flags(parser)
    add_output_flags(parser, ("pdf", "png", "csv"))
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    args = parse_args(argv)
    settings = parse_settings(Comparison, args.settings)
    artifact = Artifact("figure_sensitivity", args.metrics, args.notes, args.published)
    panels, sweep = Panels(artifact), settings.figure_sensitivity
    swept = [(name, label) for name, label in SWEPT.items() if len(sweep[name]) > 1]
    figure, grid = new_figure("double", 2.5, ncols=2 + len(swept), sharey=True)
    panels.curves(grid[0], "dpc", settings.learner, sweep["methods"], settings.table_1["dpcs"])
    panels.curves(grid[1], "round", settings.models[0], sweep["methods"], settings.in_context["rounds"])
    for axes, (name, label) in zip(grid[2:], swept):
        panels.sweep(axes, name, settings.learner, sweep[name])
        axes.set_xlabel(label)
    grid[0].set_ylim(0, 103)  # intervals of few seeds reach beyond what a score can be
    for axes, title in zip(grid, ("learners", "in context", *[f"learners, {sweep['dpc']} a class"] * len(swept))):
        axes.set_title(title)
    grid[0].set_ylabel("score (%)")
    legend_above(figure, grid)
    save(figure, panels.rows, COLUMNS, args)


if __name__ == "__main__":
    run_step(main)
