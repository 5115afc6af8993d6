"""Draw wins, ties and losses of each subset's model against the reference subset's (NUGGETS, pairwise comparison)."""

from __future__ import annotations

import argparse
from typing import Any, Mapping, Sequence

from scripts.common.artifacts import add_output_flags, reasons
from scripts.common.errors import run_step
from scripts.common.figures import legend_above, save
from scripts.common.metrics import read_metrics
from scripts.common.plotting import FAINT, INK, new_figure
from scripts.common.spread import Spread, spreads_by
from scripts.selection.methods import method_label

COLUMNS = ("method", "outcome", "share", "low", "high", "n_seeds", "note")
OUTCOMES = {"win": ("#0072b2", "white"), "tie": ("#d9d9d9", INK), "loss": ("#d55e00", "white")}
LEAST_LABELLED = 0.06  # narrower parts of a bar have no room for their number


def draw_bar(axes: Any, place: int, shares: Mapping[str, Spread]) -> None:
    """Draw one stacked bar of mean shares; error bars on the wins (from the left) and the losses (from the right)."""
    start = 0.0
    for outcome, (color, ink) in OUTCOMES.items():
        share = shares[outcome].mean
        axes.barh(place, share, left=start, height=0.7, color=color, label=outcome)
        if share >= LEAST_LABELLED:
            axes.text(
                start + share / 2, place - 0.12, f"{share:.0%}", ha="center", va="center", color=ink, fontsize=6.5
            )
        start += share
    for edge, half, height in (
        (shares["win"].mean, shares["win"].half_width, 0.14),
        (1 - shares["loss"].mean, shares["loss"].half_width, 0.26),
    ):
        if half:
            reach = [[min(half, edge)], [min(half, 1 - edge)]]  # a share stays between 0 and 1
            axes.errorbar(
                edge, place + height, xerr=reach, color=INK, elinewidth=0.9, capsize=1.5, fmt="none", zorder=5
            )


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--metrics", required=True, help="CSV in the long schema")
    parser.add_argument("--notes", required=True, help="CSV: what is missing and why")
    parser.add_argument("--reference", required=True, help="the subset that the others are compared with")
    parser.add_argument("--methods", nargs="+", required=True, help="subsets, from top to bottom")
    parser.add_argument("--tier", required=True)
    add_output_flags(parser, ("pdf", "png", "csv"))
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    args = parse_args(argv)
    measured = [row for row in read_metrics(args.metrics) if row["artifact"] == "figure_pairwise"]
    spreads = spreads_by(measured, ("method", "metric"))
    missing = {row["method"]: row["reason"] for row in reasons(args.notes, "figure_pairwise")}
    figure, axes = new_figure("single", 0.85 + 0.32 * len(args.methods))
    rows: list[dict[str, Any]] = []
    for place, method in enumerate(args.methods):
        if (method, "win_share") not in spreads:
            reason = missing.get(method, "not measured in this run")
            axes.text(0.01, place, f"— {reason}", va="center", color=FAINT, fontsize=6.5, parse_math=False)
            rows.append(dict(zip(COLUMNS, (method, "", "", "", "", 0, reason))))
            continue
        shares = {outcome: spreads[(method, f"{outcome}_share")] for outcome in OUTCOMES}
        draw_bar(axes, place, shares)
        for outcome, share in shares.items():
            rows.append(dict(zip(COLUMNS, (method, outcome, share.mean, share.low, share.high, share.n, ""))))
    axes.set_yticks(range(len(args.methods)), [method_label(method) for method in args.methods])
    axes.set_ylim(len(args.methods) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_xlabel(f"share of answers, against {method_label(args.reference)}")
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    legend_above(figure, [axes])
    save(figure, rows, COLUMNS, args)


if __name__ == "__main__":
    run_step(main)
