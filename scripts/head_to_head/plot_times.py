"""Draw what each method of the head-to-head reaches against the seconds that it took in this run.

Times are measured where the workflow ran, jobs beside each other included: an order of magnitude, no benchmark.
"""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any, Mapping, Sequence

from scripts.common.artifacts import Artifact, add_input_flags, add_output_flags
from scripts.common.errors import run_step
from scripts.common.figures import save, say_unavailable
from scripts.common.files import read_csv
from scripts.common.plotting import new_figure
from scripts.common.settings import parse_settings
from scripts.head_to_head.columns import TIME_COLUMNS
from scripts.head_to_head.comparison import Comparison, Demonstrations, Selection, seconds_of_answering
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

Times = Mapping[tuple[str, str], float]


def choosing_panel(artifact: Artifact, selection: Selection, times: Times) -> tuple[Panel, str, str]:
    """Return the panel of the smallest subsets with its measure and axis: seconds of scoring and choosing together."""
    costs: dict[str, float] = {}
    for (method, part), seconds in times.items():
        if part in ("scoring", "choosing"):
            costs[method] = costs.get(method, 0.0) + seconds
    measure = selection.shown[0]
    smallest = min(selection.percents)
    panel = selection_panel(artifact, selection, smallest, measure, costs, None, UNIT)
    panel = dataclasses.replace(panel, title=f"Choosing {smallest} % of the pool")
    return panel, measure, "seconds of choosing"


def answering_panel(artifact: Artifact, shown: Demonstrations, times: Times) -> tuple[Panel, str, str]:
    """Return the panel of the demonstrations with its measure and axis: seconds of preparing and of all questions."""
    points, left_out = [], []
    for method in shown.methods:
        seconds = seconds_of_answering(times, shown, method)
        if seconds is not None:
            points.append((method, seconds, artifact.cell("answers", method, "accuracy")))
        else:
            left_out.append((method, NO_COST))
    n = artifact.count("answers", "accuracy")
    panel = Panel("Showing demonstrations", points, [], None, UNIT, left_out)
    return panel, "accuracy", f"seconds of answering {n} questions"


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", required=True, help="CSV of collect_times")
    add_input_flags(parser)
    parser.add_argument("--settings", required=True, help="JSON: what is compared")
    add_output_flags(parser, ("pdf", "png", "csv"))
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    args = parse_args(argv)
    compared = parse_settings(Comparison, args.settings)
    times = {(row["method"], row["part"]): float(row["seconds"]) for row in read_csv(args.times, TIME_COLUMNS)}
    selection, demonstrations = (
        Artifact(name, args.metrics, args.notes, args.published) for name in ("table_selection", "table_demonstrations")
    )
    found = []
    if selection.measured:
        found.append(choosing_panel(selection, compared.choices, times))
    if demonstrations.measured:
        found.append(answering_panel(demonstrations, compared.shown, times))
    figure, grid = new_figure("double", HEIGHT, 1, max(1, len(found)), squeeze=False)
    rows: list[dict[str, Any]] = []
    for axes, (panel, measure, cost) in zip(grid[0], found):
        draw_panel(axes, panel)
        axes.set_title(panel.title)
        axes.set_ylabel(MEASURES[measure][0])
        axes.set_xlabel(cost)
        name_levels(axes, panel)
        rows += rows_of(panel, measure)
    for axes, (panel, _, _) in zip(grid[0], found):
        name_points(axes, panel)
    if not found:
        reason = "neither half was run in this tier"
        say_unavailable(grid[0][0], reason)
        rows.append({**dict.fromkeys(COLUMNS, ""), "note": reason})
    save(figure, rows, COLUMNS, args)


if __name__ == "__main__":
    run_step(main)
