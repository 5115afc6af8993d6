"""Draw what is needed to beat the few-shot teacher (Figures 8 and 9): accuracy by share and size of the student.

One line per size, larger ones darker; a ring marks the smallest share at which the mean is above the teacher's line.
"""

from __future__ import annotations

import itertools
from typing import Any, Sequence

from scripts.common.artifacts import Artifact
from scripts.common.errors import run_step
from scripts.common.plotting import INK, draw_line, method_label, shift_aside, shifts
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
    models = plan.models_of(artifact.name)
    curves = [
        (method, model, dashes)
        for method in (baseline_of(artifact.name), DSS)
        for model, dashes in zip(models, itertools.cycle(DASHES))
    ]
    rows, missing = [], []
    for (method, model, dashes), shift in zip(curves, shifts(len(curves))):
        drawn: dict[float, Spread] = {}
        for share in shares:
            value = artifact.cell(share_setting(dataset, share), method, LAST, model=model)
            rows.append(row_of(dataset, model, method, value, share_percent=100 * share))
            if isinstance(value, Spread):
                drawn[100 * share] = value
            else:
                missing.append(value.reason)
        if drawn:
            label = method_label(method) + (f", {model}" if len(models) > 1 else "")
            draw_line(axes, list(drawn), list(drawn.values()), method, shift=shift, linestyle=dashes, label=label)
        smallest = artifact.cell(dataset, method, SMALLEST, model=model)
        rows.append(row_of(dataset, model, method, smallest, metric=SMALLEST))
        if isinstance(smallest, Spread) and smallest.mean in drawn:
            draw_ring(axes, smallest.mean, drawn[smallest.mean].mean, shift)
    rows.append(draw_teacher(axes, artifact, plan, dataset))
    label_shares(axes, shares)
    say_missing(axes, missing)
    return rows


def draw_ring(axes: Any, share_percent: float, accuracy: float, shift: float) -> None:
    """Mark the smallest share that beats the teacher."""
    ring = {"marker": "o", "ms": 10, "mfc": "none", "mec": INK, "mew": 0.8, "linestyle": "none", "clip_on": False}
    shift_aside(axes, axes.plot([share_percent], [accuracy], label="first above the teacher", **ring), shift)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    draw_figure(argv, __doc__, ("figure_8", "figure_9"), 2.5, draw_panel)


if __name__ == "__main__":
    run_step(main)
