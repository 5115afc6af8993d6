"""Draw how the result grows with the size of the subset, one line per method (DELIFT, ablation)."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from scripts.common.artifacts import FIGURE, artifact_flags
from scripts.common.bounds import bounds_of
from scripts.common.errors import run_step
from scripts.common.figures import legend_above, save, say_unavailable
from scripts.common.measured import Measured
from scripts.common.names import in_words
from scripts.common.plotting import draw_line, new_figure, shifts
from scripts.common.settings import parse_settings
from scripts.common.spread import Spread
from scripts.common.tables import Missing
from scripts.delift.comparison import ANSWERS, Comparison, setting_of
from scripts.delift.labels import LEARNING_LABELS, METRICS

COLUMNS = ("pair", "model", "learning", "metric", "method", "percent", "mean", "std", "n_seeds", "low", "high", "note")


def panels(compared: Comparison) -> list[tuple[str, str, str, str]]:
    """Return (pair, model, way of learning, metric) of each panel."""
    return [
        (pair, model, learning, metric)
        for pair, model in compared.planned
        for learning in compared.learnings
        for metric in compared.metrics
    ]


def curve(
    measured: Measured, compared: Comparison, panel: tuple[str, str, str, str], method: str
) -> list[tuple[int, Spread | Missing]]:
    """Return (percent, value or why there is none) of one method, rising; at 100 % every method has the whole pool."""
    pair, model, learning, metric = panel
    points: list[tuple[int, Spread | Missing]] = []
    for percent in sorted(compared.percents):
        name = "full" if percent == 100 else method
        setting = setting_of(pair, learning, percent)
        points.append((percent, measured.cell(setting, name, metric, experiment=ANSWERS, model=model)))
    return points


def draw_panel(
    axes: Any, curves: Mapping[str, Sequence[tuple[int, Spread | Missing]]], panel: tuple[str, str, str, str]
) -> list[dict[str, Any]]:
    """Draw a line for each method of one panel; return its rows. A method has a line where it was measured itself."""
    rows, reason, drawn = [], "no subset is asked for", False
    for (method, points), shift in zip(curves.items(), shifts(len(curves))):
        known = [(percent, value) for percent, value in points if isinstance(value, Spread)]
        own = [percent for percent, _ in known if percent < 100 or len(points) == 1]
        if own:
            values, bounds = [value for _, value in known], bounds_of(panel[-1])
            draw_line(axes, [percent for percent, _ in known], values, method, shift=shift, bounds=bounds)
            drawn = True
        for percent, value in points:
            if isinstance(value, Spread):
                numbers: tuple[Any, ...] = (value.mean, value.std, value.n, value.low, value.high, "")
            else:
                numbers, reason = ("", "", 0, "", "", value.reason), value.reason
            if own or isinstance(value, Missing):
                rows.append(dict(zip(COLUMNS, (*panel, method, percent, *numbers))))
    if not drawn:
        say_unavailable(axes, reason)
    return rows


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    args = artifact_flags(argv, __doc__, FIGURE)
    compared = parse_settings(Comparison, args.settings)
    drawn: list[dict[str, Any]] = []
    wanted = panels(compared)
    figure, grid = new_figure("double", 2.7, ncols=max(1, len(wanted)), squeeze=False)
    for axes, panel in zip(grid[0], wanted):
        curves = {method: curve(args.measured, compared, panel, method) for method in compared.methods}
        drawn += draw_panel(axes, curves, panel)
        pair, model, learning, metric = panel
        header, unit, _ = METRICS[metric]
        axes.set_title(f"{in_words(pair)}, {LEARNING_LABELS[learning]}\n{in_words(model)}", fontsize=7.5)
        axes.set_xlabel("subset (% of the pool)")
        axes.set_xticks(sorted(compared.percents))
        axes.set_ylabel(header + (f" ({unit})" if unit else ""))
    legend_above(figure, grid[0])
    if not wanted:
        say_unavailable(grid[0][0], compared.why_empty(args.measured))
    if not drawn:
        drawn.append({**dict.fromkeys(COLUMNS, ""), "note": compared.why_empty(args.measured)})
    save(figure, drawn, COLUMNS, args)


if __name__ == "__main__":
    run_step(main)
