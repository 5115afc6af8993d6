"""Draw how the result grows with the size of the subset, one line per method (DELIFT, ablation)."""

from __future__ import annotations

from typing import Any, Sequence

from scripts.common.artifacts import reason_of
from scripts.common.errors import run_step
from scripts.common.figures import legend_above, save, say_unavailable
from scripts.common.metrics import read_metrics
from scripts.common.plotting import draw_line, new_figure, shifts
from scripts.common.settings import parse_settings
from scripts.common.spread import Spread, spreads_by
from scripts.delift.comparison import Comparison, label_of_pair, setting_of
from scripts.delift.figures import parse_figure_args
from scripts.delift.labels import LEARNING_LABELS, METRICS

COLUMNS = ("pair", "model", "learning", "metric", "method", "percent", "mean", "std", "n_seeds", "low", "high", "note")


def panels(compared: Comparison) -> list[tuple[str, str, str, str]]:
    """Return (pair, model, way of learning, metric) of each panel."""
    settings = compared.figure_subset_size
    return [
        (pair, model, learning, metric)
        for pair, model in compared.runs("figure_subset_size")
        for learning in settings["learnings"]
        for metric in settings["metrics"]
    ]


def curve(
    spreads: dict[tuple[str, ...], Spread], compared: Comparison, panel: tuple[str, str, str, str], method: str
) -> list[tuple[int, Spread]]:
    """Return (percent, value) of one method, rising; at 100 % every method has the whole pool."""
    pair, model, learning, metric = panel
    points = []
    for percent in sorted(compared.figure_subset_size["percents"]):
        name = "full" if percent == 100 else method
        value = spreads.get((setting_of(pair, learning, percent), model, name, metric))
        if value is not None:
            points.append((percent, value))
    return points


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    args = parse_figure_args(argv, __doc__)
    compared = parse_settings(Comparison, args.settings)
    rows = [row for row in read_metrics(args.metrics) if row["experiment"] == "figure_subset_size"]
    spreads = spreads_by(rows, ("setting", "model", "method", "metric"))
    drawn: list[dict[str, Any]] = []
    wanted = panels(compared)
    figure, grid = new_figure("double", 2.7, ncols=max(1, len(wanted)), squeeze=False)
    for axes, panel in zip(grid[0], wanted):
        methods = compared.figure_subset_size["methods"]
        for method, shift in zip(methods, shifts(len(methods))):
            points = curve(spreads, compared, panel, method)
            if points:
                draw_line(axes, [percent for percent, _ in points], [value for _, value in points], method, shift=shift)
            for percent, value in points:
                numbers = (percent, value.mean, value.std, value.n, value.low, value.high, "")
                drawn.append(dict(zip(COLUMNS, (*panel, method, *numbers))))
        pair, model, learning, metric = panel
        header, unit, _ = METRICS[metric]
        axes.set_title(f"{label_of_pair(pair)}, {model}, {LEARNING_LABELS[learning]}", fontsize=7.5)
        axes.set_xlabel("subset (% of the pool)")
        axes.set_xticks(sorted(compared.figure_subset_size["percents"]))
        axes.set_ylabel(header + (f" ({unit})" if unit else ""))
    if drawn:
        legend_above(figure, grid[0])
    else:
        reason = reason_of(args.notes, "figure_subset_size")
        say_unavailable(grid[0][0], reason)
        drawn.append({**dict.fromkeys(COLUMNS, ""), "note": reason})
    save(figure, drawn, COLUMNS, args)


if __name__ == "__main__":
    run_step(main)
