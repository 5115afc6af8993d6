"""Draw the golden scores of the pool in ascending order, with the counts at the thresholds (NUGGETS, score curve)."""

from __future__ import annotations

import textwrap
from typing import Any, Mapping, Sequence

from scripts.common.artifacts import FIGURE, artifact_flags
from scripts.common.errors import UserError, run_step
from scripts.common.figures import save
from scripts.common.files import read_csv
from scripts.common.plotting import FAINT, INK, new_figure
from scripts.common.settings import parse_settings
from scripts.nuggets.comparison import Comparison
from scripts.nuggets.golden_files import effect_notes
from scripts.selection.methods import method_style

COLUMNS = ("series", "golden_score", "n_examples")


def score_curve(scores: Sequence[float]) -> list[tuple[float, int]]:
    """Return (score, number of examples that score at most this) for each score that occurs, ascending."""
    ordered = sorted(scores)
    last = {score: place for place, score in enumerate(ordered, start=1)}
    return sorted(last.items())


def threshold_counts(rows: Sequence[Mapping[str, str]], dataset: str, model: str) -> list[tuple[float, int]]:
    """Return (threshold, examples that score at most this) of the measured or published rows of this pool and model."""
    counts = {
        float(row["method"].removeprefix("le_")): int(float(row["value"]))
        for row in rows
        if (row["setting"], row["model"], row["metric"]) == (dataset, model, "n_examples")
    }
    return sorted(counts.items())


def draw(axes: Any, curve: Sequence[tuple[float, int]], ours: Sequence[tuple[float, int]], total: int) -> None:
    """Draw the curve and, at each threshold, how many examples lie at or below it."""
    color = method_style("nuggets").color
    heights = [curve[0][0], *[score for score, _ in curve]]
    axes.step([0, *[n for _, n in curve]], heights, where="pre", color=color, label="golden score")
    for threshold, count in ours:
        axes.plot([0, count], [threshold, threshold], color=FAINT, linewidth=0.7, linestyle=":")
        axes.plot([count, count], [0, threshold], color=FAINT, linewidth=0.7, linestyle=":")
    axes.plot([n for _, n in ours], [t for t, _ in ours], "o", color=color, label="count at a threshold")
    lines = ["examples with\na score of at most"] + [
        f"{threshold:g}: {count:,} ({count / total:.0%})" for threshold, count in ours
    ]
    axes.set_xlim(0, total * 1.02)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("examples, sorted by golden score")
    axes.set_ylabel("golden score")
    axes.locator_params(axis="x", nbins=4)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.annotate(
        "\n".join(lines), (1.03, 0.0), xycoords="axes fraction", va="bottom", fontsize=6.5, color=INK, linespacing=1.5
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    args = artifact_flags(argv, __doc__, FIGURE, files={"scores": "CSV: id, golden_score"})
    settings = parse_settings(Comparison, args.settings)
    scores = [float(r["golden_score"]) for r in read_csv(args.scores, ("golden_score",)) if r["golden_score"]]
    if not scores:
        raise UserError(f"{args.scores}: no example has a golden score; score the pool first")
    curve = score_curve(scores)
    ours = threshold_counts(args.measured.rows, settings.dataset, settings.model)
    # The paper's counts belong to one pool and one model: beside any other they would compare nothing.
    theirs = threshold_counts(args.measured.published, settings.dataset, settings.model)
    figure, axes = new_figure("single", 2.5)
    draw(axes, curve, ours, len(scores))
    for note in effect_notes(args.measured.rows):
        axes.set_title("\n".join(textwrap.wrap(note, 44)), fontsize=6.5, color=INK)
    if theirs:
        style = {"marker": "D", "linestyle": "none", "markerfacecolor": "white", "markeredgecolor": INK}
        axes.plot([n for _, n in theirs], [t for t, _ in theirs], label="published", **style)
    figure.legend(loc="outside upper center", ncols=3)
    rows = [dict(zip(COLUMNS, ("curve", *point))) for point in curve]
    rows += [dict(zip(COLUMNS, ("threshold", *point))) for point in ours]
    rows += [dict(zip(COLUMNS, ("threshold_published", *point))) for point in theirs]
    save(figure, rows, COLUMNS, args)


if __name__ == "__main__":
    run_step(main)
