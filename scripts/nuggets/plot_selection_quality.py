"""Draw how well each score finds known good examples, and what a model gains from each choice (beyond the paper)."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from scripts.common.artifacts import FIGURE, artifact_flags
from scripts.common.bounds import bounds_of
from scripts.common.errors import run_step
from scripts.common.figures import save, say_unavailable
from scripts.common.files import read_csv
from scripts.common.measured import NOT_MEASURED, Measured
from scripts.common.method_styles import MethodStyle
from scripts.common.plotting import FAINT, draw_bars, new_figure
from scripts.common.settings import parse_settings
from scripts.common.spread import Spread
from scripts.common.tables import Missing
from scripts.nuggets.benchmarks import SCORES, WIN_RATE, experiment
from scripts.nuggets.comparison import Comparison
from scripts.nuggets.selection_quality import AUC
from scripts.selection.methods import method_label, method_style

COLUMNS = ("panel", "series", "x", "y", "low", "high", "n_seeds", "note")
MEASURES = (
    ("exact_match", "exact match (share of answers)"),
    (WIN_RATE, "AlpacaEval win rate (%)"),
)
"""What the bars show: the first of these that was measured."""


def draw_roc(axes: Any, points: Sequence[Mapping[str, str]], areas: Mapping[str, float]) -> list[dict[str, Any]]:
    """Draw one ROC curve per score, with its area in the legend; return the rows drawn."""
    rows = []
    for name, (like, label) in SCORES.items():
        curve = [p for p in points if p["method"] == name]
        if not curve or name not in areas:
            rows.append(dict(zip(COLUMNS, ("roc", name, "", "", "", "", 0, NOT_MEASURED))))
            continue
        x = [float(point["false_positive_rate"]) for point in curve]
        y = [float(point["true_positive_rate"]) for point in curve]
        style: MethodStyle = method_style(like)
        axes.plot(x, y, color=style.color, linestyle=style.linestyle, label=f"{label}: {areas[name]:.3f}")
        rows += [dict(zip(COLUMNS, ("roc", name, *point, "", "", "", ""))) for point in zip(x, y)]
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8, linestyle=":", label="chance: 0.500")
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.set_xlabel("share of bad examples chosen")
    axes.set_ylabel("share of good examples chosen")
    axes.legend(title="AUC", loc="lower right", title_fontsize=7, fontsize=6.5)
    axes.set_title("finding known good examples")
    return rows


def shown_cells(measured: Measured, settings: Comparison) -> tuple[str, str, dict[str, Spread | str]]:
    """Return the metric that the bars show, its printed name, and of each method its value or why there is none."""

    def cell(method: str, metric: str) -> Spread | str:
        name = settings.experiment("alpaca_eval", method)
        value = measured.cell("all", method, metric, experiment=name)
        if not isinstance(value, Missing):
            return value
        return measured.reason("all", method, metric, experiment=name) or NOT_MEASURED

    for metric, label in MEASURES:
        cells = {method: cell(method, metric) for method in settings.show["methods"]}
        if any(isinstance(value, Spread) for value in cells.values()):
            return metric, label, cells
    metric, label = MEASURES[0]
    return metric, label, {method: cell(method, metric) for method in settings.show["methods"]}


def draw_models(axes: Any, measured: Measured, settings: Comparison) -> list[dict[str, Any]]:
    """Draw one bar per subset: the model fine-tuned on it, mean over seeds; return the rows drawn."""
    metric, label, cells = shown_cells(measured, settings)
    missing = {method: reason for method, reason in cells.items() if isinstance(reason, str)}
    if len(missing) == len(cells):
        say_unavailable(axes, next(iter(missing.values()), NOT_MEASURED))
        return [
            dict(zip(COLUMNS, (metric, method, place, "", "", "", 0, reason)))
            for place, (method, reason) in enumerate(missing.items())
        ]
    rows = []
    for place, (method, value) in enumerate(cells.items()):
        draw_bars(
            axes, [place], [None if isinstance(value, str) else value], method, width=0.72, bounds=bounds_of(metric)
        )
        if isinstance(value, str):
            rows.append(dict(zip(COLUMNS, (metric, method, place, "", "", "", 0, value))))
        else:
            rows.append(dict(zip(COLUMNS, (metric, method, place, value.mean, value.low, value.high, value.n, ""))))
            axes.annotate(
                f"{value.mean:.2f}" if metric == "exact_match" else f"{value.mean:.0f}",
                (place, min(value.high, bounds_of(metric)[1])),
                xytext=(0, 2),
                textcoords="offset points",
                ha="center",
                fontsize=6,
            )
    axes.set_xticks(range(len(cells)), [method_label(m).replace(", ", ",\n") for m in cells])
    axes.tick_params(axis="x", labelrotation=45, labelsize=6.5)
    for label_text in axes.get_xticklabels():
        label_text.set(ha="right", rotation_mode="anchor")
    axes.set_xlim(-0.6, len(cells) - 0.4)
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel(label)
    axes.set_title("after fine-tuning on each subset")
    if metric == "exact_match":
        axes.set_ylim(0, 1.08)
    return rows


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    args = artifact_flags(argv, __doc__, FIGURE, files={"roc": "CSV: points of the ROC curves"})
    measured, settings = args.measured, parse_settings(Comparison, args.settings)
    figure, (left, right) = new_figure("double", 3.0, ncols=2, width_ratios=(1, 1.15))
    points = read_csv(args.roc, ("method", "false_positive_rate", "true_positive_rate"))
    quality = experiment("quality", settings.anchors)
    if points:
        areas = {row["method"]: float(row["value"]) for row in measured.rows if _is_area(row, quality)}
        rows = draw_roc(left, points, areas)
    else:
        reason = measured.reason(experiment=quality) or "no ROC curve was measured"
        say_unavailable(left, reason)
        rows = [dict(zip(COLUMNS, ("roc", "", "", "", "", "", "", reason)))]
    rows += draw_models(right, measured, settings)
    save(figure, rows, COLUMNS, args)


def _is_area(row: Mapping[str, str], quality: str) -> bool:
    return (row["experiment"], row["setting"], row["metric"]) == (quality, "all", AUC)


if __name__ == "__main__":
    run_step(main)
