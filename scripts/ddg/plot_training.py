"""Draw the training of stage B: cosine of the gradients, the generator's loss on real texts, how varied its texts are.

The loss of gradient matching is one minus the cosine. The cosine alone can rise while the generator stops writing well:
the two other panels watch that.
"""

from __future__ import annotations

import argparse
from typing import Any, Mapping, Sequence

from scripts.common.artifacts import add_output_flags
from scripts.common.errors import UserError, run_step
from scripts.common.figures import SPREAD_COLUMNS, legend_above, save, say_unavailable, spread_cells
from scripts.common.files import read_json
from scripts.common.plotting import draw_line, new_figure, shifts
from scripts.common.spread import Spread, spread

COLUMNS = ("panel", "x", "variant", *SPREAD_COLUMNS)
PANELS = (
    ("cosine", "generator step", "cosine of the gradients", "no variant matches gradients (lm_weight is 1)"),
    ("real_loss", "outer loop", "loss on real texts (nats a token)", "the run watched no real texts"),
    ("distinct_2", "outer loop", "share of different word pairs", "the run counted no word pairs"),
)
"""Measure, what runs across, title, and why the panel is empty where nothing was measured."""
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


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--histories", required=True, nargs="+", help="history JSON of match_gradients")
    parser.add_argument("--variants", required=True, nargs="+", help="name of each, in the same order")
    parser.add_argument("--tier", required=True)
    add_output_flags(parser, ("pdf", "png", "csv"))
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    args = parse_args(argv)
    if len(args.histories) != len(args.variants):
        raise UserError(f"--variants: {len(args.variants)} for {len(args.histories)} histories; give one for each")
    histories = {name: read_json(path) for name, path in zip(args.variants, args.histories)}
    figure, grid = new_figure("double", 2.4, ncols=len(PANELS))
    rows: list[dict[str, Any]] = []
    for axes, (key, across, up, absent) in zip(grid, PANELS):
        drawn = False
        for (name, history), shift in zip(histories.items(), shifts(len(histories))):
            points = curve(history, key)
            rows += [{"panel": key, "x": x, "variant": name, **spread_cells(value)} for x, value in points]
            if points:
                draw_line(axes, [x for x, _ in points], [value for _, value in points], name, shift=shift)
                drawn = True
        if drawn:
            axes.set_xlabel(across)
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.set_title(up, fontsize=7.5)
            if key == "cosine":
                axes.set_ylim(top=1.02)
        else:
            say_unavailable(axes, absent)
    legend_above(figure, grid)
    save(figure, rows, COLUMNS, args)


if __name__ == "__main__":
    run_step(main)
