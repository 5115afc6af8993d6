"""Draw how well each score finds known good examples, and what a model gains from each choice (beyond the paper)."""

from __future__ import annotations

import argparse
from typing import Any, Mapping, Sequence

from scripts.common.artifacts import add_output_flags, reason_of, reasons
from scripts.common.errors import run_step
from scripts.common.figures import save, say_unavailable
from scripts.common.files import read_csv
from scripts.common.metrics import read_metrics
from scripts.common.plotting import FAINT, MethodStyle, draw_bars, new_figure
from scripts.common.spread import Spread, spreads_by
from scripts.selection.methods import method_label, method_style

COLUMNS = ("panel", "series", "x", "y", "low", "high", "n_seeds", "note")
SCORE_LABELS = {
    "golden_score": ("nuggets", "golden score"),
    "mean_gain": ("mean_gain", "mean gain"),
    "perplexity": ("perplexity", "low perplexity"),
    "ifd": ("ifd", "IFD"),
    "length": ("length", "longest answers"),
}
"""Of each score: the method whose colour it takes, and its printed name."""

MEASURES = (
    ("exact_match", "exact match (share of answers)"),
    ("alpaca_eval_win_rate_percent", "AlpacaEval win rate (%)"),
)
"""What the bars show: the first of these that was measured."""


def draw_roc(axes: Any, points: Sequence[Mapping[str, str]], areas: Mapping[str, float]) -> list[dict[str, Any]]:
    """Draw one ROC curve per score, with its area in the legend; return the rows drawn."""
    rows = []
    for name, (like, label) in SCORE_LABELS.items():
        curve = [p for p in points if p["method"] == name]
        if not curve or name not in areas:
            rows.append(dict(zip(COLUMNS, ("roc", name, "", "", "", "", 0, "not measured in this run"))))
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


def draw_models(
    axes: Any, methods: Sequence[str], spreads: Mapping[tuple[str, str], Spread], missing: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Draw one bar per subset: the model fine-tuned on it, mean over seeds; return the rows drawn."""
    metric, label = next((m for m in MEASURES if any((name, m[0]) in spreads for name in methods)), MEASURES[0])
    rows = []
    if not any((name, metric) in spreads for name in methods):
        reasons_of = [missing.get(name, missing.get("", "not measured in this run")) for name in methods]
        say_unavailable(axes, reasons_of[0])
        return [
            dict(zip(COLUMNS, (metric, name, place, "", "", "", 0, reason)))
            for place, (name, reason) in enumerate(zip(methods, reasons_of))
        ]
    for place, method in enumerate(methods):
        value = spreads.get((method, metric))
        draw_bars(axes, [place], [value], method, width=0.72)
        if value is None:
            reason = missing.get(method, missing.get("", "not measured in this run"))
            rows.append(dict(zip(COLUMNS, (metric, method, place, "", "", "", 0, reason))))
        else:
            rows.append(dict(zip(COLUMNS, (metric, method, place, value.mean, value.low, value.high, value.n, ""))))
            axes.annotate(
                f"{value.mean:.2f}" if metric == "exact_match" else f"{value.mean:.0f}",
                (place, value.high),
                xytext=(0, 2),
                textcoords="offset points",
                ha="center",
                fontsize=6,
            )
    axes.set_xticks(range(len(methods)), [method_label(m).replace(", ", ",\n") for m in methods])
    axes.tick_params(axis="x", labelrotation=45, labelsize=6.5)
    for label_text in axes.get_xticklabels():
        label_text.set(ha="right", rotation_mode="anchor")
    axes.set_xlim(-0.6, len(methods) - 0.4)
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel(label)
    axes.set_title("after fine-tuning on each subset")
    if metric == "exact_match":
        axes.set_ylim(0, 1.08)
    return rows


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--roc", required=True, help="CSV: points of the ROC curves")
    parser.add_argument("--metrics", required=True, help="CSV in the long schema")
    parser.add_argument("--notes", required=True, help="CSV: what is missing and why")
    parser.add_argument("--methods", nargs="+", required=True, help="subsets, from left to right")
    parser.add_argument("--tier", required=True)
    add_output_flags(parser, ("pdf", "png", "csv"))
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    args = parse_args(argv)
    metrics = read_metrics(args.metrics)
    areas = {
        row["method"]: float(row["value"])
        for row in metrics
        if (row["artifact"], row["setting"], row["metric"]) == ("table_selection_quality", "all", "auc")
    }
    figure, (left, right) = new_figure("double", 3.0, ncols=2, width_ratios=(1, 1.15))
    points = read_csv(args.roc, ("method", "false_positive_rate", "true_positive_rate"))
    if points:
        rows = draw_roc(left, points, areas)
    else:
        reason = reason_of(args.notes, "figure_selection_quality", "no ROC curve was measured")
        say_unavailable(left, reason)
        rows = [dict(zip(COLUMNS, ("roc", "", "", "", "", "", "", reason)))]
    baselines = [row for row in metrics if row["artifact"] == "table_baselines" and row["setting"] == "all"]
    missing = {row["method"]: row["reason"] for row in reasons(args.notes, "table_baselines")}
    rows += draw_models(right, args.methods, spreads_by(baselines, ("method", "metric")), missing)
    save(figure, rows, COLUMNS, args)


if __name__ == "__main__":
    run_step(main)
