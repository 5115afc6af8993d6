"""Draw how the judge's grades are distributed, one stacked bar per method (DELIFT, LAJ)."""

from __future__ import annotations

from typing import Any, Sequence

from scripts.common.artifacts import FIGURE, artifact_flags
from scripts.common.errors import run_step
from scripts.common.figures import legend_above, save, say_unavailable
from scripts.common.measured import Measured
from scripts.common.names import in_words
from scripts.common.plotting import FAINT, new_figure
from scripts.common.settings import parse_settings
from scripts.common.tables import Missing
from scripts.delift.comparison import ANSWERS, GRADES, Comparison, setting_of
from scripts.delift.labels import LEARNING_LABELS, row_label

COLUMNS = (
    "pair",
    "model",
    "learning",
    "method",
    "percent",
    "grade",
    "mean_share",
    "std",
    "n_seeds",
    "mean_grade",
    "note",
)
SHADES = ("#d55e00", "#f0a36b", "#e0e0e0", "#7fb8da", "#0072b2")  # worst to best, told apart without red and green


def bars(measured: Measured, compared: Comparison, pair: str, model: str, learning: str) -> list[dict[str, Any]]:
    """Return what is drawn of one panel: a row per method and grade, or per method one that says why it is missing."""
    rows, about = [], {"experiment": ANSWERS, "model": model}
    for method, percent in compared.rows:
        setting = setting_of(pair, learning, percent)
        mean = measured.cell(setting, method, "judge_score", **about)
        if isinstance(mean, Missing):
            missing = (pair, model, learning, method, percent, "", "", "", 0, "", mean.reason)
            rows.append(dict(zip(COLUMNS, missing)))
            continue
        for grade in GRADES:
            share = measured.cell(setting, method, f"share_of_grade_{grade}", **about)
            if isinstance(share, Missing):
                raise ValueError(f"{setting}/{method}: a mean grade, but no share of grade {grade}")
            values = (pair, model, learning, method, percent, grade, share.mean, share.std, share.n, mean.mean, "")
            rows.append(dict(zip(COLUMNS, values)))
    return rows


def draw(axes: Any, rows: Sequence[dict[str, Any]]) -> None:
    """Draw the bars of one panel, the first method on top, with the mean grade beside each."""
    names = list(dict.fromkeys((row["method"], row["percent"]) for row in rows))
    for place, (method, percent) in enumerate(names):
        left = 0.0
        members = [row for row in rows if (row["method"], row["percent"]) == (method, percent)]
        if members[0]["note"]:
            axes.text(0.01, place, f"— {members[0]['note']}", va="center", color=FAINT, fontsize=6, parse_math=False)
            continue
        for row, shade in zip(members, SHADES):
            axes.barh(place, row["mean_share"], left=left, color=shade, height=0.75, label=f"grade {row['grade']}")
            left += row["mean_share"]
        axes.annotate(f"{members[0]['mean_grade']:.2f}", (1.01, place), va="center", fontsize=7, annotation_clip=False)
    axes.annotate("mean grade", (1.01, -0.62), va="center", fontsize=7, color=FAINT, annotation_clip=False)
    axes.set_yticks(range(len(names)), [row_label(method, percent) for method, percent in names])
    axes.set_ylim(len(names) - 0.4, -0.9)
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of the answers")
    axes.grid(False)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    args = artifact_flags(argv, __doc__, FIGURE)
    compared = parse_settings(Comparison, args.settings)
    wanted = [(*run, learning) for run in compared.planned for learning in compared.learnings]
    figure, grid = new_figure("double", 2.9, ncols=max(1, len(wanted)), squeeze=False)
    drawn: list[dict[str, Any]] = []
    for axes, (pair, model, learning) in zip(grid[0], wanted):
        panel = bars(args.measured, compared, pair, model, learning)
        if any(not row["note"] for row in panel):
            draw(axes, panel)
        else:
            say_unavailable(axes, panel[0]["note"] if panel else "no subset is asked for")
        axes.set_title(f"{in_words(pair)}, {LEARNING_LABELS[learning]}, {in_words(model)}")
        drawn += panel
    legend_above(figure, grid[0])
    if not wanted:
        say_unavailable(grid[0][0], compared.why_empty(args.measured))
    if not drawn:
        drawn.append({**dict.fromkeys(COLUMNS, ""), "note": compared.why_empty(args.measured)})
    save(figure, drawn, COLUMNS, args)


if __name__ == "__main__":
    run_step(main)
