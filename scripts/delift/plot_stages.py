"""Draw what each subset is worth in each stage: means and intervals over seeds, a row of panels per metric.

Beyond the paper, whose tables give single runs.
"""

from __future__ import annotations

from typing import Any, Sequence

from scripts.common.artifacts import FIGURE, artifact_flags
from scripts.common.bounds import bounds_of
from scripts.common.errors import run_step
from scripts.common.figures import save, say_unavailable, spread_cells
from scripts.common.measured import Measured
from scripts.common.names import in_words
from scripts.common.plotting import FAINT, draw_points, new_figure
from scripts.common.settings import parse_settings
from scripts.common.spread import Spread
from scripts.common.tables import Missing
from scripts.delift.comparison import ANSWERS, Comparison, setting_of
from scripts.delift.labels import LEARNING_LABELS, METRICS
from scripts.selection.methods import method_label

COLUMNS = (
    *("stage", "pair", "model", "learning", "metric", "method", "percent"),
    *("mean", "std", "n_seeds", "low", "high", "note"),
)
PANEL_HEIGHT = 1.75  # inches


def panel_rows(
    measured: Measured, compared: Comparison, pair: str, model: str, learning: str, metric: str
) -> list[tuple[str, int, Spread | Missing]]:
    """Return (method, percent, value or why there is none) of one panel, in the config's order."""
    about = {"experiment": ANSWERS, "model": model}
    return [
        (method, percent, measured.cell(setting_of(pair, learning, percent), method, metric, **about))
        for method, percent in compared.rows
    ]


def draw_panel(axes: Any, rows: Sequence[tuple[str, int, Spread | Missing]], metric: str) -> None:
    """Draw one point of a metric with its interval per method, a dash for what was not measured."""
    if all(isinstance(value, Missing) for _, _, value in rows):
        reason = next((value.reason for _, _, value in rows if isinstance(value, Missing)), "no subset is asked for")
        say_unavailable(axes, reason)
        return
    for place, (method, _, value) in enumerate(rows):
        if isinstance(value, Spread):
            draw_points(axes, [place], [value], method, bounds=bounds_of(metric))
        else:
            axes.annotate("—", (place, 0.02), xycoords=axes.get_xaxis_transform(), ha="center", color=FAINT)
    axes.set_xticks(range(len(rows)), [method_label(method) for method, _, _ in rows], rotation=30, ha="right")
    axes.set_xlim(-0.6, len(rows) - 0.4)


def cells_of(value: Spread | Missing) -> dict[str, Any]:
    """Return the columns of a value, or of why there is none."""
    cells = spread_cells(value)
    return {"n_seeds": cells.pop("n"), **cells}


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    args = artifact_flags(argv, __doc__, FIGURE)
    compared = parse_settings(Comparison, args.settings)
    runs = [(*run, learning) for run in compared.planned for learning in compared.learnings]
    runs.sort(key=lambda run: compared.stage(run[0]))
    metrics = compared.metrics if runs else [""]
    figure, grid = new_figure(
        "double", PANEL_HEIGHT * len(metrics) + 0.2, len(metrics), max(1, len(runs)), squeeze=False, sharex="col"
    )
    drawn: list[dict[str, Any]] = []
    for column, (pair, model, learning) in enumerate(runs):
        stage = compared.stage(pair)
        for line, metric in enumerate(metrics):
            rows = panel_rows(args.measured, compared, pair, model, learning, metric)
            draw_panel(grid[line][column], rows, metric)
            header, unit, _ = METRICS[metric]
            if column == 0:
                grid[line][column].set_ylabel(header + (f"\n({unit})" if unit else ""))
            for method, percent, value in rows:
                about = (stage, pair, model, learning, metric, method, percent)
                drawn.append({**dict(zip(COLUMNS, about)), **cells_of(value)})
        grid[0][column].set_title(in_words(pair))
        grid[-1][column].set_xlabel(f"stage {stage}, {LEARNING_LABELS[learning]}")
    if not drawn:
        reason = compared.why_empty(args.measured)
        say_unavailable(grid[0][0], reason)
        drawn.append({**dict.fromkeys(COLUMNS, ""), "note": reason})
    save(figure, drawn, COLUMNS, args)


if __name__ == "__main__":
    run_step(main)
