"""What the figures of Distilling Step-by-Step share: panels, the teacher's line, one CSV row for each drawn value."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Callable, Sequence

from scripts.common.artifacts import Artifact, add_input_flags, add_output_flags
from scripts.common.figures import legend_above, save
from scripts.common.plotting import FAINT, method_style, new_figure
from scripts.common.settings import parse_settings
from scripts.common.spread import Spread
from scripts.common.tables import Missing
from scripts.step_by_step.collect_metrics import LAST
from scripts.step_by_step.plan import FEW_SHOT, Plan

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = (
    "dataset",
    "model",
    "method",
    "share_percent",
    "n_parameters",
    "metric",
    "mean",
    "std",
    "n",
    "source",
    "note",
)
GOLD_FIGURES = ("figure_4", "figure_6", "figure_8")


def baseline_of(artifact: str) -> str:
    """Return the method a figure compares with: it learns from the same labels without rationales."""
    return "standard_finetuning" if artifact in GOLD_FIGURES else "standard_distillation"


def row_of(dataset: str, model: str, method: str, value: Spread | Missing | float, **more: Any) -> dict[str, Any]:
    """Return one row of a figure's CSV; `value` is ours, a published number, or why there is none."""
    row: dict[str, Any] = dict.fromkeys(COLUMNS, "")
    row.update(dataset=dataset, model=model, method=method, metric=LAST, source="measured")
    if isinstance(value, Missing):
        row.update(n=0, note=value.reason)
    elif isinstance(value, Spread):
        row.update(mean=value.mean, std="" if value.std is None else value.std, n=value.n)
    else:
        row.update(mean=value, n=1, source="published")
    return {**row, **more}


def panels(names: Sequence[str], height: float) -> tuple[Figure, list[Axes]]:
    """Return a figure with a titled panel for each data set, side by side, two in a row from three on."""
    columns = len(names) if len(names) < 3 else 2
    lines = -(-len(names) // columns)
    width = "single" if columns == 1 else "double"
    figure, axes = new_figure(width, height * lines, nrows=lines, ncols=columns, squeeze=False)
    flat = list(axes.flat)
    for extra in flat[len(names) :]:
        extra.set_axis_off()
    for place, name in zip(flat, names):
        place.set_title(name)
        place.set_ylabel("test accuracy (%)")
    return figure, flat[: len(names)]


def draw_teacher(axes: Axes, artifact: Artifact, plan: Plan, dataset: str) -> dict[str, Any]:
    """Draw the few-shot teacher's accuracy as a horizontal line; return its row."""
    value = artifact.cell(dataset, FEW_SHOT, LAST, model=plan.teacher)
    if isinstance(value, Spread):
        style = method_style(FEW_SHOT)
        axes.axhline(value.mean, color=style.color, linestyle=":", linewidth=1.1, label=f"{style.label} (teacher)")
    return row_of(dataset, plan.teacher, FEW_SHOT, value)


def published_rows(artifact: Artifact) -> list[dict[str, Any]]:
    """Return a row for each number that the paper gives on this figure, on its own data sets and models."""
    return [
        row_of(
            row["setting"], row["model"], row["method"], float(row["value"]), metric=row["metric"], note=row["source"]
        )
        for row in artifact.published
    ]


def say_missing(axes: Axes, reasons: Sequence[str]) -> None:
    """Write into a panel, small, why something is not drawn."""
    import textwrap

    if reasons:
        text = "\n".join(line for reason in dict.fromkeys(reasons) for line in textwrap.wrap(reason, 46))
        axes.text(
            0.02,
            0.02,
            text,
            ha="left",
            va="bottom",
            transform=axes.transAxes,
            color=FAINT,
            fontsize=5,
            parse_math=False,
        )


def finish(figure: Figure, axes: Sequence[Axes], rows: list[dict[str, Any]], args: argparse.Namespace) -> None:
    """Add one legend for all panels, stamp the tier and write the figure with its rows."""
    for place in axes:
        low, high = place.get_ylim()
        place.set_ylim(max(low, -2), min(high, 102))  # an interval may reach beyond what an accuracy can be
    legend_above(figure, axes)
    save(figure, rows, COLUMNS, args)


def draw_figure(
    argv: Sequence[str] | None,
    about: str | None,
    artifacts: Sequence[str],
    height: float,
    draw_panel: Callable[[Axes, Artifact, Plan, str], list[dict[str, Any]]],
) -> None:
    """Run a figure step: read its flags, draw a panel for each data set, save the figure with the rows drawn.

    about: the step's docstring; artifacts: the figures it can draw; height: of a panel in inches; draw_panel: draws one
    data set's panel and returns its rows.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artifact", required=True, choices=artifacts)
    parser.add_argument("--settings", required=True, help="JSON: plan.Plan")
    add_input_flags(parser)
    add_output_flags(parser, ("pdf", "png", "csv"))
    args = parser.parse_args(argv)
    plan = parse_settings(Plan, args.settings)
    artifact = Artifact(args.artifact, args.metrics, args.notes, args.published)
    names = plan.sets_of(args.artifact)
    figure, axes = panels(names, height)
    rows = [row for place, name in zip(axes, names) for row in draw_panel(place, artifact, plan, name)]
    finish(figure, axes, rows + published_rows(artifact), args)


def label_shares(axes: Axes, shares: Sequence[float]) -> None:
    """Name the horizontal axis of a panel over shares of the training rows."""
    axes.set_xlabel("share of the training rows (%)")
    axes.set_xticks([100 * share for share in shares], [f"{100 * share:g}" for share in shares])
