"""Draw the training of stage B: cosine of the gradients, the generator's loss on real texts, how varied its texts are.

The loss of gradient matching is one minus the cosine. The cosine alone can rise while the generator stops writing well:
the two other panels watch that.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Mapping, Sequence

from scripts.common.artifacts import FIGURE, artifact_flags
from scripts.common.bounds import ANY, COSINE, SHARE
from scripts.common.errors import UserError, run_step
from scripts.common.figures import SPREAD_COLUMNS, legend_above, save, say_unavailable, spread_cells
from scripts.common.files import read_json
from scripts.common.measured import sentence
from scripts.common.plotting import draw_line, new_figure, shifts
from scripts.common.settings import parse_settings
from scripts.common.spread import Spread, spread
from scripts.common.tables import Missing
from scripts.ddg.measurements import TRAINING

COLUMNS = ("panel", "x", "variant", *SPREAD_COLUMNS)
PANELS = (
    ("cosine", "generator step", "cosine of the gradients", "no variant matches gradients (lm_weight is 1)"),
    ("real_loss", "outer loop", "loss on real texts (nats a token)", "the run watched no real texts"),
    ("distinct_2", "outer loop", "share of different word pairs", "the run counted no word pairs"),
)
"""Measure, what runs across, title, and why the panel is empty where nothing was measured."""
BOUNDS = {"cosine": COSINE, "distinct_2": SHARE}
MAX_POINTS = 40


def curve(history: Mapping[str, Any], key: str) -> list[tuple[float, Spread]]:
    """Return (x, value over seeds) of one measure; the cosine as the mean over windows of steps."""
    if key == "cosine":
        runs = [[float(step["cosine"]) for step in one["steps"] if "cosine" in step] for one in history["seeds"]]
        length = min(map(len, runs))
        size = max(1, -(-length // MAX_POINTS))
        starts = range(0, length - size + 1, size)
        return [(start + size / 2, spread(sum(run[start : start + size]) / size for run in runs)) for start in starts]
    runs = [[row for row in one["refreshes"] if key in row] for one in history["seeds"]]
    length = min(map(len, runs))
    return [(float(runs[0][n]["outer"]), spread(float(run[n][key]) for run in runs)) for n in range(length)]


@dataclasses.dataclass(frozen=True)
class TrainingFigure:
    """task: whose generators; variants: their trainings; there: those with a history, in the order of the files."""

    task: str
    variants: Sequence[str]
    there: Sequence[str]


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    files = {"histories": "history JSON of match_gradients, one for each variant that is there"}
    args = artifact_flags(argv, __doc__, FIGURE, files=files, several=("histories",))
    settings = parse_settings(TrainingFigure, args.settings)
    if len(args.histories) != len(settings.there):
        raise UserError(
            f"--histories: {len(args.histories)} for {len(settings.there)} variants in --settings; give one for each"
        )
    histories = {name: read_json(path) for name, path in zip(settings.there, args.histories)}
    figure, grid = new_figure("double", 2.4, ncols=len(PANELS))
    gone = {
        name: args.measured.reason(settings.task, name, experiment=TRAINING) or "not trained in this tier"
        for name in settings.variants
        if name not in histories
    }
    rows: list[dict[str, Any]] = []
    for axes, (key, across, up, absent) in zip(grid, PANELS):
        drawn = False
        for (name, history), shift in zip(histories.items(), shifts(len(histories))):
            points = curve(history, key)
            rows += [{"panel": key, "x": x, "variant": name, **spread_cells(value)} for x, value in points]
            if points:
                values, bounds = [value for _, value in points], BOUNDS.get(key, ANY)
                draw_line(axes, [x for x, _ in points], values, name, shift=shift, bounds=bounds)
                drawn = True
        rows += [
            {"panel": key, "x": "", "variant": name, **spread_cells(Missing(sentence(reason)))}
            for name, reason in gone.items()
        ]
        if drawn:
            axes.set_xlabel(across)
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.set_title(up, fontsize=7.5)
            if key == "cosine":
                axes.set_ylim(top=1.02)
        else:
            say_unavailable(axes, absent if histories else next(iter(gone.values())))
    legend_above(figure, grid)
    save(figure, rows, COLUMNS, args)


if __name__ == "__main__":
    run_step(main)
