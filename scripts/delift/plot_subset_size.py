"""Draw how the result grows with the size of the subset, one line per method (DELIFT, ablation)."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from scripts.common.artifacts import reason_of, reasons
from scripts.common.errors import run_step
from scripts.common.figures import legend_above, save, say_unavailable
from scripts.common.metrics import read_metrics
from scripts.common.plotting import draw_line, new_figure, shifts
from scripts.common.settings import parse_settings
from scripts.common.spread import Spread, spreads_by
from scripts.common.tables import Missing
from scripts.delift.comparison import Comparison, label_of_pair, setting_of
from scripts.delift.figures import parse_figure_args, why
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
    spreads: dict[tuple[str, ...], Spread],
    notes: Sequence[Mapping[str, str]],
    compared: Comparison,
    panel: tuple[str, str, str, str],
    method: str,
) -> list[tuple[int, Spread | Missing]]:
    """Return (percent, value or why there is none) of one method, rising; at 100 % every method has the whole pool."""
    pair, model, learning, metric = panel
    points: list[tuple[int, Spread | Missing]] = []
    for percent in sorted(compared.figure_subset_size["percents"]):
        name = "full" if percent == 100 else method
        setting = setting_of(pair, learning, percent)
        value = spreads.get((setting, model, name, metric))
        points.append((percent, Missing(why(notes, setting, name, model)) if value is None else value))
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
            draw_line(axes, [percent for percent, _ in known], [value for _, value in known], method, shift=shift)
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
    args = parse_figure_args(argv, __doc__)
    compared = parse_settings(Comparison, args.settings)
    rows = [row for row in read_metrics(args.metrics) if row["experiment"] == "figure_subset_size"]
    spreads = spreads_by(rows, ("setting", "model", "method", "metric"))
    drawn: list[dict[str, Any]] = []
    wanted = panels(compared)
    figure, grid = new_figure("double", 2.7, ncols=max(1, len(wanted)), squeeze=False)
    notes = reasons(args.notes, "figure_subset_size")
    for axes, panel in zip(grid[0], wanted):
        methods = compared.figure_subset_size["methods"]
        curves = {method: curve(spreads, notes, compared, panel, method) for method in methods}
        drawn += draw_panel(axes, curves, panel)
        pair, model, learning, metric = panel
        header, unit, _ = METRICS[metric]
        axes.set_title(f"{label_of_pair(pair)}, {model}, {LEARNING_LABELS[learning]}", fontsize=7.5)
        axes.set_xlabel("subset (% of the pool)")
        axes.set_xticks(sorted(compared.figure_subset_size["percents"]))
        axes.set_ylabel(header + (f" ({unit})" if unit else ""))
    legend_above(figure, grid[0])
    if not wanted:
        say_unavailable(grid[0][0], reason_of(args.notes, "figure_subset_size"))
    if not drawn:
        drawn.append({**dict.fromkeys(COLUMNS, ""), "note": reason_of(args.notes, "figure_subset_size")})
    save(figure, drawn, COLUMNS, args)


if __name__ == "__main__":
    run_step(main)
