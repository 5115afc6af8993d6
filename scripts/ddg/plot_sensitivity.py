"""Draw how accuracy depends on the number of texts, in learners and in prompts, on the decay and on the temperature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping, Sequence

from scripts.common.artifacts import FIGURE, artifact_flags
from scripts.common.bounds import bounds_of
from scripts.common.errors import run_step
from scripts.common.figures import SPREAD_COLUMNS, legend_above, save, say_unavailable, spread_cells
from scripts.common.measured import Measured
from scripts.common.plotting import draw_line, draw_points, new_figure, shifts
from scripts.common.settings import parse_settings
from scripts.common.spread import Spread
from scripts.common.tables import Missing
from scripts.ddg.comparison import Comparison, Place
from scripts.ddg.measurements import SCORE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SWEPT = {"decay": "teacher's decay (0: none)", "temperature": "temperature"}
"""Settings that are varied, with the label of their axis; what has one value varies nothing and is not drawn."""
COLUMNS = ("panel", "x", "method", "model", *SPREAD_COLUMNS)


class Panels:
    """Draws panels and keeps the rows they show."""

    def __init__(self, values: Measured) -> None:
        self.values = values
        self.rows: list[dict[str, Any]] = []

    def point(self, panel: str, x: str, place: Place, method: str, model: str) -> Spread | Missing:
        """Return a measured value and keep its row."""
        cell = place.cell(self.values, method, SCORE, model)
        self.rows.append({"panel": panel, "x": x, "method": method, "model": model, **spread_cells(cell)})
        return cell

    def curves(self, axes: Axes, panel: str, model: str, methods: Sequence[str], places: Mapping[int, Place]) -> None:
        """Draw a line for each method over numbers of texts; places: {number of texts a class: where it is kept}."""
        drawn = False
        for method, shift in zip(methods, shifts(len(methods))):
            cells = {number: self.point(panel, str(number), place, method, model) for number, place in places.items()}
            found = {number: cell for number, cell in cells.items() if isinstance(cell, Spread)}
            if found:
                draw_line(
                    axes, list(map(float, found)), list(found.values()), method, shift=shift, bounds=bounds_of(SCORE)
                )
                drawn = True
        if not drawn:
            say_unavailable(axes, self.rows[-1]["note"])
            return
        axes.set_xticks(list(places))
        axes.set_xlabel("texts a class")

    def sweep(self, axes: Axes, panel: str, model: str, methods: Mapping[str, str], place: Place) -> None:
        """Draw a point for each value of a setting, evenly spaced; methods: {value: method}."""
        cells = [(float(x), method, self.point(panel, x, place, method, model)) for x, method in methods.items()]
        found = [(x, method, cell) for x, method, cell in cells if isinstance(cell, Spread)]
        if not found:
            say_unavailable(axes, self.rows[-1]["note"])
            return
        for number, (_, method, value) in enumerate(found):
            like = "ddg" if method.startswith("ddg") else "dilm"
            draw_points(axes, [number], [value], like, bounds=bounds_of(SCORE))
            axes.annotate(f"{value.mean:.1f}", (number, value.mean), xytext=(7, -2), textcoords="offset points", size=6)
        axes.set_xticks(range(len(found)), [f"{x:g}" for x, _, _ in found])
        axes.set_xlim(-0.6, len(found) - 0.4)
        axes.margins(y=0.15)  # a scale of its own: its differences are small beside those of the number of texts


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    args = artifact_flags(argv, __doc__, FIGURE)
    settings = parse_settings(Comparison, args.settings)
    panels, show, scorer = Panels(args.measured), settings.show, settings.scorers[-1]
    task, learner = show["task"], settings.learner
    swept = [(name, label) for name, label in SWEPT.items() if show[name]]
    figure, grid = new_figure("double", 2.5, ncols=2 + len(swept))
    sizes = {size: settings.learners_place("", "", task, size) for size in show["dpcs"]}
    panels.curves(grid[0], "dpc", learner, show["methods"], sizes)
    rounds = {n: settings.context_place("", "", task, scorer, n) for n in settings.context["rounds"]}
    panels.curves(grid[1], "round", settings.models[0], show["methods"], rounds)
    for axes, (name, label) in zip(grid[2:], swept):
        panels.sweep(axes, name, learner, show[name], settings.learners_place("", "", task, show["dpc"]))
        axes.set_xlabel(label)
    grid[1].sharey(grid[0])
    grid[1].tick_params(labelleft=False)
    grid[0].set_ylim(-3, 103)
    for axes, title in zip(grid, ("learners", "in context", *[f"learners, {show['dpc']} texts a class"] * len(swept))):
        axes.set_title(title)
    grid[0].set_ylabel("score (%)")
    legend_above(figure, grid)
    save(figure, panels.rows, COLUMNS, args)


if __name__ == "__main__":
    run_step(main)
