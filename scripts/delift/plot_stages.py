"""Draw what each subset is worth in each stage: means and intervals over seeds, a row of panels per metric.

Beyond the paper, whose tables give single runs.
"""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from scripts.common.artifacts import reason_of, reasons
from scripts.common.errors import run_step
from scripts.common.figures import save, say_unavailable, spread_cells
from scripts.common.metrics import read_metrics
from scripts.common.plotting import FAINT, draw_points, new_figure
from scripts.common.settings import parse_settings
from scripts.common.spread import Spread, spreads_by
from scripts.common.tables import Missing
from scripts.delift.comparison import Comparison, label_of_pair, setting_of
from scripts.delift.figures import parse_figure_args, why
from scripts.delift.labels import LEARNING_LABELS, METRICS
from scripts.selection.methods import method_label

ARTIFACT = "figure_stages"
COLUMNS = (
    *("stage", "pair", "model", "learning", "metric", "method", "percent"),
    *("mean", "std", "n_seeds", "low", "high", "note"),
)
PANEL_HEIGHT = 1.75  # inches


def panel_rows(
    spreads: dict[tuple[str, ...], Spread],
    notes: Sequence[Mapping[str, str]],
    compared: Comparison,
    pair: str,
    model: str,
    learning: str,
    metric: str,
) -> list[tuple[str, int, Spread | Missing]]:
    """Return (method, percent, value or why there is none) of one panel, in the config's order."""
    found: list[tuple[str, int, Spread | Missing]] = []
    for method, percent in compared.rows(ARTIFACT):
        setting = setting_of(pair, learning, percent)
        value = spreads.get((setting, model, method, metric))
        found.append((method, percent, Missing(why(notes, setting, method, model)) if value is None else value))
    return found


def draw_panel(axes: Any, rows: Sequence[tuple[str, int, Spread | Missing]]) -> None:
    """Draw one point with its interval per method, a dash for what was not measured."""
    if all(isinstance(value, Missing) for _, _, value in rows):
        reason = next((value.reason for _, _, value in rows if isinstance(value, Missing)), "no subset is asked for")
        say_unavailable(axes, reason)
        return
    for place, (method, _, value) in enumerate(rows):
        if isinstance(value, Spread):
            draw_points(axes, [place], [value], method)
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
    args = parse_figure_args(argv, __doc__)
    compared = parse_settings(Comparison, args.settings)
    settings = compared.figure_stages
    spreads = spreads_by(
        [row for row in read_metrics(args.metrics) if row["experiment"] == ARTIFACT],
        ("setting", "model", "method", "metric"),
    )
    runs = [(*run, learning) for run in compared.runs(ARTIFACT) for learning in settings["learnings"]]
    runs.sort(key=lambda run: compared.pairs[run[0]]["stage"])
    metrics = settings["metrics"] if runs else [""]
    figure, grid = new_figure(
        "double", PANEL_HEIGHT * len(metrics) + 0.2, len(metrics), max(1, len(runs)), squeeze=False, sharex="col"
    )
    drawn: list[dict[str, Any]] = []
    notes = reasons(args.notes, ARTIFACT)
    for column, (pair, model, learning) in enumerate(runs):
        stage = compared.pairs[pair]["stage"]
        for line, metric in enumerate(metrics):
            rows = panel_rows(spreads, notes, compared, pair, model, learning, metric)
            draw_panel(grid[line][column], rows)
            header, unit, _ = METRICS[metric]
            if column == 0:
                grid[line][column].set_ylabel(header + (f"\n({unit})" if unit else ""))
            for method, percent, value in rows:
                about = (stage, pair, model, learning, metric, method, percent)
                drawn.append({**dict(zip(COLUMNS, about)), **cells_of(value)})
        grid[0][column].set_title(label_of_pair(pair))
        grid[-1][column].set_xlabel(f"stage {stage}, {LEARNING_LABELS[learning]}")
    if not drawn:
        reason = reason_of(args.notes, ARTIFACT)
        say_unavailable(grid[0][0], reason)
        drawn.append({**dict.fromkeys(COLUMNS, ""), "note": reason})
    save(figure, drawn, COLUMNS, args)


if __name__ == "__main__":
    run_step(main)
