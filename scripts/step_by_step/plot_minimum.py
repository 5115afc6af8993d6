"""Draw what is needed to beat the few-shot teacher (Figures 8 and 9): accuracy by share and size of the student.

One line per size, larger ones darker; a ring marks the smallest share at which the mean is above the teacher's line.
"""

from __future__ import annotations

import itertools
import math
from typing import Any, Sequence

from scripts.common.bounds import PERCENT
from scripts.common.errors import run_step
from scripts.common.measured import Measured
from scripts.common.method_styles import method_label
from scripts.common.names import in_words
from scripts.common.plotting import INK, draw_line, shift_aside, shifts
from scripts.common.spread import Spread
from scripts.step_by_step.figures import (
    baseline_of,
    draw_figure,
    draw_teacher,
    fewest_rows_of,
    label_shares,
    labels_of,
    row_of,
    say_missing,
)
from scripts.step_by_step.plan import DSS, LAST, SMALLEST, Plan, share_setting

DASHES = ("-", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))


def draw_panel(axes: Any, name: str, values: Measured, plan: Plan, dataset: str) -> list[dict[str, Any]]:
    """Draw one data set's curves; return their rows."""
    shares = sorted(getattr(plan, name)["shares"])
    models = plan.models_of(name)
    curves = [
        (method, model, dashes)
        for method in (baseline_of(name), DSS)
        for model, dashes in zip(models, itertools.cycle(DASHES))
    ]
    rows, missing = [], []
    for (method, model, dashes), shift in zip(curves, shifts(len(curves))):
        drawn: dict[float, Spread] = {}
        for share in shares:
            value = values.cell(share_setting(dataset, share), method, LAST, experiment=labels_of(name), model=model)
            rows.append(row_of(dataset, model, method, value, share_percent=100 * share))
            if isinstance(value, Spread):
                drawn[100 * share] = value
            else:
                missing.append(value.reason)
        if drawn:
            label = method_label(method) + (f", {in_words(model)}" if len(models) > 1 else "")
            look = {"linestyle": dashes, "label": label}
            draw_line(axes, list(drawn), list(drawn.values()), method, shift=shift, bounds=PERCENT, **look)
        smallest = values.cell(dataset, method, SMALLEST, experiment=fewest_rows_of(name), model=model)
        rows.append(row_of(dataset, model, method, smallest, metric=SMALLEST))
        if isinstance(smallest, Spread):
            shown = [share for share in drawn if math.isclose(share, smallest.mean, rel_tol=1e-6)]  # files: nine digits
            for share in shown:
                draw_ring(axes, smallest.mean, drawn[share].mean, shift)
    rows.append(draw_teacher(axes, values, plan, dataset))
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
