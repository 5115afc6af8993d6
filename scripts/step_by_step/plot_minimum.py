"""Draw what is needed to beat the few-shot teacher (Figures 8 and 9): accuracy by share and size of the student.

One line per size, larger ones darker; a ring marks the smallest share at which the mean is above the teacher's line.
"""

from __future__ import annotations

from typing import Any, Sequence

from scripts.common.artifacts import Artifact
from scripts.common.errors import run_step
from scripts.common.plotting import method_style
from scripts.common.spread import Spread
from scripts.step_by_step.collect_metrics import LAST, SMALLEST
from scripts.step_by_step.figures import (
    baseline_of,
    draw_figure,
    draw_teacher,
    label_shares,
    row_of,
    say_missing,
)
from scripts.step_by_step.plan import DSS, Plan, share_setting

DASHES = ("-", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))


def draw_panel(axes: Any, artifact: Artifact, plan: Plan, dataset: str) -> list[dict[str, Any]]:
    """Draw one data set's curves; return their rows."""
    shares = sorted(getattr(plan, artifact.name)["shares"])
    rows, missing = [], []
    for method in (baseline_of(artifact.name), DSS):
        style = method_style(method)
        for number, model in enumerate(plan.models_of(artifact.name)):
            drawn = []
            for share in shares:
                value = artifact.cell(share_setting(dataset, share), method, LAST, model=model)
                rows.append(row_of(dataset, model, method, value, share_percent=100 * share))
                if isinstance(value, Spread):
                    drawn.append((100 * share, value.mean))
                else:
                    missing.append(value.reason)
            smallest = artifact.cell(dataset, method, SMALLEST, model=model)
            rows.append(row_of(dataset, model, method, smallest, metric=SMALLEST))
            if drawn:
                xs, ys = zip(*drawn)
                dashes = DASHES[number % len(DASHES)]
                axes.plot(
                    xs, ys, color=style.color, marker=style.marker, linestyle=dashes, label=f"{style.label}, {model}"
                )
            if isinstance(smallest, Spread):
                height = dict(drawn)[smallest.mean]
                axes.plot([smallest.mean], [height], "o", ms=10, mfc="none", mec=style.color, mew=1.0, clip_on=False)
    rows.append(draw_teacher(axes, artifact, plan, dataset))
    label_shares(axes, shares)
    say_missing(axes, missing)
    return rows


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    draw_figure(argv, __doc__, ("figure_8", "figure_9"), 2.5, draw_panel)


if __name__ == "__main__":
    run_step(main)
