"""Draw accuracy against the share of the training rows (Figures 4 and 5), with the baseline's level on all rows."""

from __future__ import annotations

from typing import Any, Sequence

from scripts.common.bounds import PERCENT
from scripts.common.errors import run_step
from scripts.common.measured import Measured
from scripts.common.method_styles import method_style
from scripts.common.plotting import draw_line, shifts
from scripts.common.spread import Spread
from scripts.step_by_step.figures import (
    baseline_of,
    draw_figure,
    fewest_rows_of,
    label_shares,
    labels_of,
    row_of,
    say_missing,
)
from scripts.step_by_step.plan import DSS, LAST, SMALLEST, Plan, share_setting


def draw_panel(axes: Any, name: str, values: Measured, plan: Plan, dataset: str) -> list[dict[str, Any]]:
    """Draw one data set's curves; return their rows."""
    shares = sorted(getattr(plan, name)["shares"])
    baseline = baseline_of(name)
    rows, missing = [], []
    for method, shift in zip((baseline, DSS), shifts(2)):
        drawn: list[tuple[float, Spread]] = []
        for share in shares:
            value = values.cell(
                share_setting(dataset, share), method, LAST, experiment=labels_of(name), model=plan.main_model
            )
            rows.append(row_of(dataset, plan.main_model, method, value, share_percent=100 * share))
            if isinstance(value, Spread):
                drawn.append((100 * share, value))
            else:
                missing.append(value.reason)
        if drawn:
            spreads = [value for _, value in drawn]
            draw_line(axes, [x for x, _ in drawn], spreads, method, shift=shift, bounds=PERCENT)
            if method == baseline and drawn[-1][0] == 100:
                style = method_style(method)
                label = f"{style.label}, all rows"
                axes.axhline(drawn[-1][1].mean, color=style.color, linestyle=":", linewidth=0.9, label=label)
    smallest = values.cell(dataset, DSS, SMALLEST, experiment=fewest_rows_of(name), model=plan.main_model)
    rows.append(row_of(dataset, plan.main_model, DSS, smallest, metric=SMALLEST))
    label_shares(axes, shares)
    say_missing(axes, missing)
    return rows


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    draw_figure(argv, __doc__, ("figure_4", "figure_5"), 2.3, draw_panel)


if __name__ == "__main__":
    run_step(main)
