"""Draw how well the mini causal LM learns hidden label words in context, against the number of demonstrations."""

from __future__ import annotations

from typing import Any, Sequence

from scripts.common.artifacts import FIGURE, artifact_flags
from scripts.common.errors import run_step
from scripts.common.figures import save
from scripts.common.plotting import FAINT, new_figure, shift_aside, shifts
from scripts.mini_world.figure_data import COLUMNS, Points

STYLES = {
    "trained": ("#0072b2", "o", "trained topics"),
    "held_out": ("#d55e00", "s", "held-out topics"),
    "shuffled": ("#0072b2", "X", "trained, labels shuffled"),
    "shuffled_held_out": ("#d55e00", "P", "held out, labels shuffled"),
}
"""Colour, marker and label of each kind of document."""


def draw_curve(
    axes: Any, measured: Points, panel: str, setting: str, kind: str, shift: float = 0.0
) -> list[dict[str, Any]]:
    """Draw accuracy against demonstrations with its interval, a single number as a point; return the rows drawn.

    shift: of a single point to the side, in points.
    """
    color, marker, label = STYLES[kind]
    counts = measured.demonstrations(setting)
    points = [measured.point(setting, f"demos_{k}", "in_context_accuracy") for k in counts]
    values = [point.value for point in points]
    if len(points) == 1:
        errors = [[values[0] - points[0].low], [points[0].high - values[0]]]
        bars = axes.errorbar(counts, values, yerr=errors, color=color, marker=marker, linestyle="none", label=label)
        shift_aside(axes, bars.get_children(), shift)
    else:
        axes.plot(counts, values, color=color, marker=marker, label=label, markersize=3.5)
        axes.fill_between(
            counts, [p.low for p in points], [p.high for p in points], color=color, alpha=0.15, linewidth=0
        )
    return [point.row(panel, setting, k) for k, point in zip(counts, points)]


def draw_guess(axes: Any, measured: Points, panel: str, setting: str) -> list[dict[str, Any]]:
    """Draw the guessing rate among the classes of a document; return its row."""
    rate = measured.number(setting, "guessing_rate")
    axes.axhline(rate, color=FAINT, linewidth=0.8, linestyle=":", label="guessing")
    return [dict(zip(("panel", "series", "x", "y", "low", "high", "n"), (panel, "guessing", "", rate, "", "", "")))]


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    args = artifact_flags(argv, __doc__, FIGURE)
    measured = Points(args.measured)
    figure, (left, right) = new_figure("double", 2.75, ncols=2, sharey=True)
    rows = []
    for kind, shift in zip(STYLES, (0.0, 0.0, *shifts(2))):  # the two single points stand beside each other
        rows += draw_curve(left, measured, "few_classes", kind, kind, shift)
    rows += draw_guess(left, measured, "few_classes", "shuffled")
    for kind in ("trained", "held_out"):
        rows += draw_curve(right, measured, "20_classes", f"{kind}_20_classes", kind)
    rows += draw_guess(right, measured, "20_classes", "trained_20_classes")
    left.set_title("3 to 5 classes")
    right.set_title("20 classes, in rounds of one example each")
    left.set_ylabel("share of labels named correctly")
    left.set_ylim(0, 1.02)
    left.set_xticks(range(0, 16, 3))
    right.set_xticks(measured.demonstrations("trained_20_classes"))
    for axes in (left, right):
        axes.set_xlabel("demonstrations")
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=5)
    save(figure, rows, COLUMNS, args)


if __name__ == "__main__":
    run_step(main)
