"""Draw what each method of the head-to-head reaches against the seconds that it took in this run.

Times are measured where the workflow ran, jobs beside each other included: an order of magnitude, no benchmark.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Mapping, Sequence

from scripts.common.artifacts import FIGURE, artifact_flags
from scripts.common.errors import run_step
from scripts.common.figures import save, save_empty
from scripts.common.files import read_csv
from scripts.common.measured import Measured
from scripts.common.plotting import new_figure
from scripts.common.settings import parse_settings
from scripts.head_to_head.columns import TIME_COLUMNS
from scripts.head_to_head.comparison import (
    ANSWERING,
    SHOWING,
    Comparison,
    Demonstrations,
    Selection,
    seconds_of_answering,
)
from scripts.head_to_head.cost_panels import (
    COLUMNS,
    NO_COST,
    Panel,
    draw_panel,
    name_levels,
    name_points,
    rows_of,
    selection_panel,
)
from scripts.head_to_head.measures import MEASURES

UNIT = "s"
HEIGHT = 2.5  # inches
TIMES = {"choosing-times": "CSV of collect_times", "answering-times": "the same of answering"}

Times = Mapping[tuple[str, str], float]


def choosing_panel(measured: Measured, selection: Selection, times: Times) -> tuple[Panel, str, str]:
    """Return the panel of the smallest subsets with its measure and axis: seconds of scoring and choosing together."""
    costs: dict[str, float] = {}
    for (method, part), seconds in times.items():
        if part in ("scoring", "choosing"):
            costs[method] = costs.get(method, 0.0) + seconds
    measure = selection.shown[0]
    smallest = min(selection.percents)
    panel = selection_panel(measured, selection, smallest, measure, costs, None, UNIT)
    panel = dataclasses.replace(panel, title=f"Choosing {smallest} % of the pool")
    return panel, measure, "seconds of choosing"


def answering_panel(measured: Measured, shown: Demonstrations, times: Times) -> tuple[Panel, str, str]:
    """Return the panel of the demonstrations with its measure and axis: seconds of preparing and of all questions."""
    points, left_out = [], []
    for method in shown.methods:
        seconds = seconds_of_answering(times, shown, method)
        if seconds is not None:
            points.append((method, seconds, measured.cell(ANSWERING, method, "accuracy", experiment=SHOWING)))
        else:
            left_out.append((method, NO_COST))
    n = measured.count(ANSWERING, "accuracy")
    panel = Panel("Showing demonstrations", points, [], None, UNIT, "accuracy", left_out)
    return panel, "accuracy", f"seconds of answering {n} questions"


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    args = artifact_flags(argv, __doc__, FIGURE, files=TIMES)
    compared = parse_settings(Comparison, args.settings)
    times = {
        (row["method"], row["part"]): float(row["seconds"])
        for path in (args.choosing_times, args.answering_times)
        for row in read_csv(path, TIME_COLUMNS)
    }
    found = []
    if not compared.choices.not_run:
        found.append(choosing_panel(args.measured, compared.choices, times))
    if not compared.shown.not_run:
        found.append(answering_panel(args.measured, compared.shown, times))
    if not found:
        save_empty("neither half was run in this tier", COLUMNS, args)
        return
    figure, grid = new_figure("double", HEIGHT, 1, len(found), squeeze=False)
    rows: list[dict[str, Any]] = []
    placed: list[tuple[Any, Panel, list[float]]] = []
    for axes, (panel, measure, cost) in zip(grid[0], found):
        placed.append((axes, panel, draw_panel(axes, panel)))
        axes.set_title(panel.title)
        axes.set_ylabel(MEASURES[measure][0])
        axes.set_xlabel(cost)
        axes.locator_params(axis="y", nbins=6)
        name_levels(axes, panel)
        rows += rows_of(panel, measure)
    for axes, panel, aside in placed:
        name_points(axes, panel, aside)
    save(figure, rows, COLUMNS, args)


if __name__ == "__main__":
    run_step(main)
