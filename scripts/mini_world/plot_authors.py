"""Draw what one example tells the mini causal LM: how careful its author is, and what a neutral instruction means.

Careful and careless authors by family, by fault and in what comes next; neutral instructions by family.
"""

from __future__ import annotations

from typing import Any, Sequence

from scripts.common.artifacts import FIGURE, artifact_flags
from scripts.common.errors import run_step
from scripts.common.figures import save
from scripts.common.method_styles import method_style
from scripts.common.plotting import FAINT, INK, new_figure
from scripts.mini_world.figure_data import COLUMNS, Points

SCORES = {
    name: (method_style(like).color, method_style(like).marker, label)
    for name, like, label in (("golden", "nuggets", "golden score"), ("mean_gain", "mean_gain", "mean gain"))
}
AUTHORS = {
    "after_careful": ("#009e73", "o", "after a careful example"),
    "after_careless": ("#d55e00", "v", "after a careless one"),
}
INSTRUCTIONS = {"demos_1": (INK, "s", "neutral instructions")}


def draw_parts(
    axes: Any, measured: Points, panel: str, settings: Sequence[str], styles: dict[str, tuple[str, str, str]]
) -> list[dict[str, Any]]:
    """Draw a metric in several settings, one row each, with its intervals; return the rows drawn.

    panel: the metric.
    """
    rows = []
    for index, (method, (color, marker, label)) in enumerate(styles.items()):
        points = [measured.point(setting, method, panel) for setting in settings]
        places = [place + 0.2 * (index - (len(styles) - 1) / 2) * 1.6 for place in range(len(settings))]
        values = [point.value for point in points]
        errors = [[v - p.low for v, p in zip(values, points)], [p.high - v for v, p in zip(values, points)]]
        axes.errorbar(values, places, xerr=errors, color=color, marker=marker, linestyle="none", label=label)
        rows += [point.row(panel, method, setting) for setting, point in zip(settings, points)]
    names = [setting.split("_", 1)[1].replace("_", " ") if "_" in setting else setting for setting in settings]
    axes.set_yticks(range(len(settings)), names)
    axes.set_ylim(len(settings) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.grid(visible=False, axis="y")
    return rows


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    args = artifact_flags(argv, __doc__, FIGURE)
    measured = Points(args.measured)
    figure, ((left, middle), (lower, right)) = new_figure("double", 5.4, nrows=2, ncols=2, height_ratios=(1.6, 1))
    panels = (
        (left, "author_auc", "family_", SCORES, "careful authors, by family"),
        (middle, "same_instruction_better", "family_", INSTRUCTIONS, "neutral instructions, by family"),
        (lower, "author_auc", "fault_", SCORES, "careful authors, by fault"),
    )
    rows = []
    for axes, metric, prefix, styles, title in panels:
        total = ["all"] if prefix == "family_" else []
        parts = [f"{prefix}{name}" for name in measured.parts(prefix, metric)]
        rows += draw_parts(axes, measured, metric, [*total, *parts], styles)
        axes.axvline(0.5, color=FAINT, linewidth=0.8, linestyle=":")
        axes.set_title(title)
    for axes in (left, lower):
        axes.set_xlim(0.38, 1.02)
        axes.set_xlabel("AUC, right against careless examples")
    middle.set_xlabel("share of trials in which an example of the\nsame instruction helps more than another")
    faults = [f"fault_{name}" for name in measured.parts("fault_", "author_auc")]
    rows += draw_parts(right, measured, "right_over_careless_nats", faults, AUTHORS)
    right.axvline(0, color=INK, linewidth=0.8)
    right.set_xlabel("log-likelihood, right minus careless answer (nats)")
    right.set_title("next answer, by fault")
    (scores, names), (authors, kinds) = (axes.get_legend_handles_labels() for axes in (left, right))
    figure.legend([*scores, *authors], [*names, *kinds], loc="outside upper center", ncols=4)
    save(figure, rows, COLUMNS, args)


if __name__ == "__main__":
    run_step(main)
