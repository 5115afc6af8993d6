"""Draw the score against lambda, the weight of distillation in MEND's stage 2: beyond the paper, reviewers asked."""

from __future__ import annotations

from typing import Any, Sequence

from scripts.common.bounds import PERCENT
from scripts.common.errors import run_step
from scripts.common.figures import SPREAD_COLUMNS, save, say_unavailable, spread_cells
from scripts.common.method_styles import method_style
from scripts.common.plotting import draw_points, new_figure
from scripts.common.spread import Spread
from scripts.mend.experiments import SCORE, SCORES
from scripts.mend.figures import SCORE_LABEL, figure_flags

COLUMNS = ("setting", "lambda", "distiller", *SPREAD_COLUMNS)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure: one panel for each setting."""
    args, settings = figure_flags(argv, __doc__)
    weights = {**settings.show["distillers"], "inf": settings.show["limit"]}
    names = list(settings.order)
    figure, grid = new_figure(
        "double" if len(names) > 1 else "single", 2.3, ncols=len(names), squeeze=False, sharey=True
    )
    rows: list[dict[str, Any]] = []
    for axes, setting in zip(grid[0], names):
        drawn: list[tuple[int, Spread]] = []
        for place, (value, method) in enumerate(weights.items()):
            cell = args.measured.cell(setting, method, SCORE, experiment=SCORES, model=settings.model)
            rows.append({"setting": setting, "lambda": value, "distiller": method, **spread_cells(cell)})
            if isinstance(cell, Spread):
                drawn.append((place, cell))
        if not drawn:
            say_unavailable(axes, rows[-1]["note"])
            continue
        draw_points(axes, [place for place, _ in drawn], [value for _, value in drawn], "mend", bounds=PERCENT)
        axes.plot([p for p, _ in drawn], [v.mean for _, v in drawn], color=method_style("mend").color, linewidth=0.9)
        axes.set_xticks(range(len(weights)), ["distillation\nonly" if name == "inf" else name for name in weights])
        axes.set_xlabel("λ, weight of distillation")
        axes.set_title(settings.title(setting))
    grid[0][0].set_ylabel(SCORE_LABEL)
    save(figure, rows, COLUMNS, args)


if __name__ == "__main__":
    run_step(main)
