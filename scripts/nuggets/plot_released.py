"""Draw our golden scores by the released label, how well scores find it, and how many anchors that needs."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from scripts.common.artifacts import FIGURE, artifact_flags
from scripts.common.errors import run_step
from scripts.common.figures import save, save_empty, say_unavailable
from scripts.common.measured import NOT_MEASURED, Measured
from scripts.common.plotting import FAINT, INK, new_figure
from scripts.common.settings import parse_settings
from scripts.common.tables import Missing
from scripts.data.schemas import read_examples
from scripts.nuggets.benchmarks import SCORES, experiment
from scripts.nuggets.comparison import Comparison
from scripts.nuggets.golden_files import read_scores, read_truth
from scripts.selection.methods import method_style

COLUMNS = ("panel", "series", "x", "y", "low", "high", "n", "note")
FILES = {
    "scores": "CSV of collect_scores",
    "truth": "JSONL, schema truth",
    "released": "JSONL, schema scored",
}
PREFIX = "n_anchors_"
SETTINGS = (("label", "all rows", "full"), ("equal_length", "at equal length", "none"))


def draw_scores(axes: Any, ours: Sequence[tuple[float, float]], good: Sequence[float]) -> list[dict[str, Any]]:
    """Draw our golden scores against the released ones, and those of the rows above the limit at the side.

    ours: (released, our) golden score of each row with a released score; good: ours of the rows without.
    """
    style = method_style("nuggets")
    axes.plot([x for x, _ in ours], [y for _, y in ours], ".", color=style.color, alpha=0.6, markersize=4)
    low, high = 0.0, max((x for x, _ in ours), default=0.5)
    place = high + 0.2 * (high - low)
    if good:
        box = {"color": INK, "linewidth": 0.8}
        axes.boxplot([list(good)], positions=[place], widths=0.06 * (high - low), medianprops=box, boxprops=box,
                     whiskerprops=box, capprops=box, flierprops={"markersize": 2}, manage_ticks=False)  # fmt: skip
    axes.set_xlim(low, place + 0.08 * (high - low))
    ticks = [tick / 5 for tick in range(0, int(high * 5) + 1)]  # few, so that none touches the mark beyond the limit
    axes.set_xticks([*ticks, place], [*(f"{tick:.1f}" for tick in ticks), f">{high:.1f}"])
    axes.set_xlabel("released golden score (LLaMA-7B)")
    axes.set_ylabel("our golden score")
    rows = [dict(zip(COLUMNS, ("scores", "released", x, y, "", "", 1, ""))) for x, y in ours]
    return rows + [dict(zip(COLUMNS, ("scores", "above the limit", "", y, "", "", 1, ""))) for y in good]


def draw_areas(axes: Any, measured: Measured, name: str) -> list[dict[str, Any]]:
    """Draw the AUC of each score with its interval, among all rows and at equal length."""
    rows = []
    for place, (score, (like, label)) in enumerate(SCORES.items()):
        for offset, (setting, series, fill) in zip((0.15, -0.15), SETTINGS):
            value = measured.number(setting, score, "auc", experiment=name)
            if isinstance(value, Missing):
                reason = "no value at equal length" if score == "length" else value.reason
                rows.append(dict(zip(COLUMNS, ("auc", f"{label}, {series}", "", "", "", "", 0, reason))))
                continue
            ends = [measured.number(setting, score, f"auc_{end}", experiment=name) for end in ("low", "high")]
            low, high = (value if isinstance(end, Missing) else end for end in ends)
            color = method_style(like).color
            axes.plot([low, high], [place + offset] * 2, color=color, linewidth=1.2)
            axes.plot([value], [place + offset], "o", color=color, fillstyle=fill, markersize=4.5)
            n = measured.count(setting, "auc") or 0
            rows.append(dict(zip(COLUMNS, ("auc", f"{label}, {series}", value, place, low, high, n, ""))))
    axes.axvline(0.5, color=FAINT, linestyle=":", linewidth=0.8)
    axes.set_yticks(range(len(SCORES)), [label for _, label in SCORES.values()])
    axes.invert_yaxis()
    axes.set_xlabel("AUC: released score above the limit")
    axes.plot([], [], "o", color=INK, markersize=4.5, label="all rows")
    axes.plot([], [], "o", color=INK, fillstyle="none", markersize=4.5, label="at equal length")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=6.5)
    return rows


def draw_anchors(axes: Any, measured: Measured, name: str) -> list[dict[str, Any]]:
    """Draw the AUC of the golden score by number of anchors: mean and range of the draws; the length's beside."""
    drawn: dict[int, list[float]] = {}
    for row in measured.rows:
        if row["experiment"] == name and row["metric"] == "auc" and row["setting"].startswith(PREFIX):
            drawn.setdefault(int(row["setting"].removeprefix(PREFIX)), []).append(float(row["value"]))
    if not drawn:
        reason = measured.reason("n_anchors", experiment=name) or NOT_MEASURED
        say_unavailable(axes, reason)
        return [dict(zip(COLUMNS, ("anchors", "", "", "", "", "", 0, reason)))]
    rows, style = [], method_style("nuggets")
    sizes = sorted(drawn)
    means = [sum(drawn[size]) / len(drawn[size]) for size in sizes]
    axes.fill_between(sizes, [min(drawn[s]) for s in sizes], [max(drawn[s]) for s in sizes], color=style.color,
                      alpha=0.18, linewidth=0)  # fmt: skip
    axes.plot(sizes, means, color=style.color, marker="o", label="golden score")
    for size, mean in zip(sizes, means):
        point = (size, mean, min(drawn[size]), max(drawn[size]), len(drawn[size]))
        rows.append(dict(zip(COLUMNS, ("anchors", "golden score", *point, "band: range of the draws"))))
    length = measured.number("label", "length", "auc", experiment=name)
    if not isinstance(length, Missing):
        axes.axhline(length, color=method_style("length").color, linestyle="--", label="answer length")
        rows.append(dict(zip(COLUMNS, ("anchors", "answer length", "", length, "", "", "", ""))))
    axes.set_xscale("log")
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.minorticks_off()
    axes.set_xlabel("anchors")
    axes.set_ylabel("AUC")
    axes.legend(loc="lower right", fontsize=6.5)
    return rows


def read_points(args: Any) -> tuple[list[tuple[float, float]], list[float]]:
    """Return (released, our) scores of the rows with a released score, and ours of the good rows."""
    scores = read_scores(args.scores)
    ours: Mapping[str, float | None] = dict(zip(scores.ids, scores.golden))
    released = {row["id"]: float(row["score"]) for row in read_examples(args.released, "scored")}
    pairs = [(released[name], value) for name, value in ours.items() if name in released and value is not None]
    good = [row["id"] for row in read_truth(args.truth, scores.ids) if row["good"]]
    return pairs, [value for value in map(ours.get, good) if value is not None]


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    args = artifact_flags(argv, __doc__, FIGURE, files=FILES, optional=tuple(FILES))
    measured, settings = args.measured, parse_settings(Comparison, args.settings)
    name = experiment("released", settings.anchors)
    if not args.scores:
        save_empty(measured.reason(experiment=name) or NOT_MEASURED, COLUMNS, args)
        return
    figure, panels = new_figure("double", 2.8, ncols=3, width_ratios=(1, 1.1, 1))
    rows = draw_scores(panels[0], *read_points(args))
    rows += draw_areas(panels[1], measured, name) + draw_anchors(panels[2], measured, name)
    save(figure, rows, COLUMNS, args)


if __name__ == "__main__":
    run_step(main)
