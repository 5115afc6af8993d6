"""Draw wins, ties and losses of each subset's model against the reference subset's (NUGGETS, pairwise comparison)."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from scripts.common.artifacts import FIGURE, artifact_flags
from scripts.common.errors import run_step
from scripts.common.figures import legend_above, save
from scripts.common.measured import NOT_MEASURED, Measured
from scripts.common.plotting import FAINT, INK, new_figure
from scripts.common.settings import parse_settings
from scripts.common.spread import Spread
from scripts.common.tables import Missing
from scripts.nuggets.comparison import Comparison
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


def shares_of(measured: Measured, settings: Comparison, method: str) -> dict[str, Spread] | str:
    """Return a method's shares of wins, ties and losses, or why there are none."""
    place, name = f"vs_{settings.show['reference']}", settings.experiment("pairwise", method)
    cells = {outcome: measured.cell(place, method, f"{outcome}_share", experiment=name) for outcome in OUTCOMES}
    found = {outcome: cell for outcome, cell in cells.items() if not isinstance(cell, Missing)}
    if len(found) == len(OUTCOMES):
        return found
    return measured.reason(place, method, experiment=name) or NOT_MEASURED


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    args = artifact_flags(argv, __doc__, FIGURE)
    settings = parse_settings(Comparison, args.settings)
    methods, reference = settings.show["methods"], settings.show["reference"]
    figure, axes = new_figure("single", 0.85 + 0.32 * len(methods))
    rows: list[dict[str, Any]] = []
    for place, method in enumerate(methods):
        shares = shares_of(args.measured, settings, method)
        if isinstance(shares, str):
            axes.text(0.01, place, f"— {shares}", va="center", color=FAINT, fontsize=6.5, parse_math=False)
            rows.append(dict(zip(COLUMNS, (method, "", "", "", "", 0, shares))))
            continue
        draw_bar(axes, place, shares)
        for outcome, share in shares.items():
            rows.append(dict(zip(COLUMNS, (method, outcome, share.mean, share.low, share.high, share.n, ""))))
    axes.set_yticks(range(len(methods)), [method_label(method) for method in methods])
    axes.set_ylim(len(methods) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_xlabel(f"share of answers, against {method_label(reference)}")
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    legend_above(figure, [axes])
    save(figure, rows, COLUMNS, args)


if __name__ == "__main__":
    run_step(main)
