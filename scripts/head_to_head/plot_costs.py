"""Draw what each method of the head-to-head reaches against the floating-point operations that it costs."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from scripts.common.artifacts import FIGURE, artifact_flags
from scripts.common.errors import run_step
from scripts.common.figures import save, save_empty
from scripts.common.measured import NOT_MEASURED, Measured
from scripts.common.plotting import new_figure
from scripts.common.settings import parse_settings
from scripts.common.tables import Missing
from scripts.head_to_head.comparison import (
    ANSWERING,
    CHOOSING,
    PARTS,
    SHOWING,
    TRAINING,
    Comparison,
    Demonstrations,
    Selection,
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
from scripts.head_to_head.measures import GIGA, MEASURES

UNIT = "GFLOP"
PANEL_HEIGHT = 2.3  # inches


def selection_panels(measured: Measured, selection: Selection, measure: str) -> list[Panel]:
    """Return a panel for each size of the subsets, against the operations of choosing."""
    flops = {method: measured.number(CHOOSING, method, "flops", experiment=CHOOSING) for method in selection.methods}
    costs = {method: value / GIGA for method, value in flops.items() if not isinstance(value, Missing)}
    training = measured.number(TRAINING, "finetune", "flops", experiment=CHOOSING)
    mark = None if isinstance(training, Missing) else ("one training run", training / GIGA)
    return [selection_panel(measured, selection, size, measure, costs, mark, UNIT) for size in selection.percents]


def demonstration_panels(measured: Measured, shown: Demonstrations, measure: str) -> list[Panel]:
    """Return two panels: the operations of one question, and of all of them with preparing and training."""
    n = measured.count(ANSWERING, measure)
    found: tuple[list[Any], list[Any]] = ([], [])
    left_out = []
    for method in shown.methods:
        value = measured.cell(ANSWERING, method, measure, experiment=SHOWING)
        costs = [measured.number(part, method, "flops", experiment=SHOWING) for part in PARTS]
        known = [cost for cost in costs if not isinstance(cost, Missing)]
        if n and len(known) == len(PARTS):
            training, preparing, asking = known
            found[0].append((method, asking / GIGA, value))
            found[1].append((method, (training + preparing + n * asking) / GIGA, value))
        else:
            left_out.append((method, NO_COST))
    titles = ("A question, once prepared", f"Training, preparing, {n} questions")
    return [Panel(title, points, [], None, UNIT, measure, left_out) for title, points in zip(titles, found)]


def draw_figure(grid: Any, panels: Mapping[str, Sequence[Panel]], cost: str) -> list[dict[str, Any]]:
    """Draw a row of panels for each measure and return what they show; `cost`: how the axis of costs is called."""
    rows: list[dict[str, Any]] = []
    placed: list[tuple[Any, Panel, list[float]]] = []
    for number, (line, (measure, group)) in enumerate(zip(grid, panels.items())):
        header, unit, _ = MEASURES[measure]
        line[0].set_ylabel(header + (f"\n({unit})" if unit else ""))
        for axes, panel in zip(line, group):
            placed.append((axes, panel, draw_panel(axes, panel)))
            if number == 0:
                axes.set_title(panel.title)
            if number == len(grid) - 1:
                axes.set_xlabel(cost)
            rows += rows_of(panel, measure)
        name_levels(line[-1], group[-1])
    for axes, panel, aside in placed:
        name_points(axes, panel, aside)
    return rows


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    args = artifact_flags(argv, __doc__, FIGURE, names=("figure_selection", "figure_demonstrations"))
    compared, measured = parse_settings(Comparison, args.settings), args.measured
    if not measured.rows:
        half = compared.choices if args.artifact == "figure_selection" else compared.shown
        reason = f"not run: {half.not_run}" if half.not_run else NOT_MEASURED
        save_empty(reason, COLUMNS, args)
        return
    if args.artifact == "figure_selection":
        panels = {name: selection_panels(measured, compared.choices, name) for name in compared.choices.shown}
        cost = "operations of choosing (GFLOP)"
    else:
        panels = {"accuracy": demonstration_panels(measured, compared.shown, "accuracy")}
        cost = "operations (GFLOP)"
    n_columns = len(next(iter(panels.values())))
    height = PANEL_HEIGHT * len(panels) + 0.2
    figure, grid = new_figure("double", height, len(panels), n_columns, squeeze=False, sharex="col", sharey="row")
    rows = draw_figure(grid, panels, cost)
    save(figure, rows, COLUMNS, args)


if __name__ == "__main__":
    run_step(main)
