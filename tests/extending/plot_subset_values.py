"""Draw what a model gains from each subset, one point with its interval for each."""

from __future__ import annotations

from typing import Sequence

from scripts.common.artifacts import FIGURE, artifact_flags
from scripts.common.errors import run_step
from scripts.common.figures import SPREAD_COLUMNS, save, spread_cells
from scripts.common.method_styles import method_label
from scripts.common.plotting import draw_points, new_figure
from scripts.common.settings import parse_settings
from scripts.common.tables import Missing
from scripts.nuggets.comparison import Comparison


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    args = artifact_flags(argv, __doc__, FIGURE)
    settings = parse_settings(Comparison, args.settings)
    names = {method: settings.experiment("alpaca_eval", method) for method in settings.show["methods"]}
    cells = {m: args.measured.cell("all", m, "exact_match", experiment=name) for m, name in names.items()}
    shown = [(method, value) for method, value in cells.items() if not isinstance(value, Missing)]
    figure, axes = new_figure()
    for place, (method, value) in enumerate(shown):
        draw_points(axes, [place], [value], method)
    axes.set_xticks(range(len(shown)), [method_label(method) for method, _ in shown])
    axes.set_ylabel("exact match (share of answers)")
    save(figure, [{"method": name, **spread_cells(value)} for name, value in shown], ("method", *SPREAD_COLUMNS), args)


if __name__ == "__main__":
    run_step(main)
