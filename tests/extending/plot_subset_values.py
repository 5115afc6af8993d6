"""Draw what a model gains from each subset, one point with its interval for each."""

from __future__ import annotations

import argparse
from typing import Sequence

from scripts.common.artifacts import add_output_flags
from scripts.common.errors import run_step
from scripts.common.figures import SPREAD_COLUMNS, save, spread_cells
from scripts.common.metrics import read_metrics
from scripts.common.plotting import draw_points, method_label, new_figure
from scripts.common.spread import spreads_by


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--metrics", required=True, help="CSV in the long schema")
    parser.add_argument("--methods", required=True, nargs="+")
    parser.add_argument("--tier", required=True)
    add_output_flags(parser, ("pdf", "png", "csv"))
    args = parser.parse_args(argv)
    rows = [row for row in read_metrics(args.metrics) if row["artifact"] == "table_baselines"]
    values = spreads_by([row for row in rows if row["metric"] == "exact_match"], ("method",))
    shown = [(method, values[method,]) for method in args.methods if (method,) in values]
    figure, axes = new_figure()
    for place, (method, value) in enumerate(shown):
        draw_points(axes, [place], [value], method)
    axes.set_xticks(range(len(shown)), [method_label(method) for method, _ in shown])
    axes.set_ylabel("exact match (share of answers)")
    save(figure, [{"method": name, **spread_cells(value)} for name, value in shown], ("method", *SPREAD_COLUMNS), args)


if __name__ == "__main__":
    run_step(main)
