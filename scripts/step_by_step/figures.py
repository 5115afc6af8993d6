"""What the figures of Distilling Step-by-Step share: panels, the teacher's line, one CSV row for each drawn value."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Callable, Sequence

from scripts.common.artifacts import FIGURE, artifact_flags
from scripts.common.figures import legend_above, save, say_unavailable
from scripts.common.measured import Measured
from scripts.common.method_styles import method_style
from scripts.common.names import in_words
from scripts.common.plotting import FAINT, new_figure
from scripts.common.settings import parse_settings
from scripts.common.spread import Spread
from scripts.common.tables import Missing
from scripts.step_by_step.plan import (
    ACCURACY,
    FEW_SHOT,
    FEWEST_ROWS,
    LABELS,
    LAST,
    SMALLEST,
    TEACHERS,
    WITH_TEACHER,
    Plan,
)

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


def labels_of(artifact: str) -> str:
    """Return the experiment whose students a figure draws: they learn from gold labels or from the teacher's."""
    return LABELS["gt" if artifact in GOLD_FIGURES else "llm"]


def fewest_rows_of(artifact: str) -> str | None:
    """Return the experiment that says how few rows suffice, None for figures that do not ask."""
    return next((name for name, figure in FEWEST_ROWS.items() if figure == artifact), None)


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
    columns = max(1, len(names)) if len(names) < 3 else 2
    lines = max(1, -(-len(names) // columns))
    width = "single" if columns == 1 else "double"
    figure, axes = new_figure(width, height * lines, nrows=lines, ncols=columns, squeeze=False)
    flat = list(axes.flat)
    for extra in flat[len(names) :]:
        extra.set_axis_off()
    for place, name in zip(flat, names):
        place.set_title(in_words(name))
        place.set_ylabel("test accuracy (%)")
    if not names:
        say_unavailable(flat[0], "No data set is chosen.")
    return figure, flat[: len(names)]


def draw_teacher(axes: Axes, values: Measured, plan: Plan, dataset: str) -> dict[str, Any]:
    """Draw the few-shot teacher's accuracy as a horizontal line; return its row."""
    value = values.cell(f"{dataset}_test", FEW_SHOT, ACCURACY, model=plan.teacher, experiment=TEACHERS)
    if isinstance(value, Spread):
        style = method_style(FEW_SHOT)
        axes.axhline(value.mean, color=style.color, linestyle=":", linewidth=1.1, label=f"{style.label} (teacher)")
    return row_of(dataset, plan.teacher, FEW_SHOT, value)


def published_rows(name: str, values: Measured) -> list[dict[str, Any]]:
    """Return a row for each known number of the paper's figure, on its own data sets and models, by data set."""
    fewest = fewest_rows_of(name)
    known = [row for row in values.published if row["metric"] == SMALLEST]
    found = [(row["setting"], row) for row in known if row["experiment"] == fewest]
    if name in WITH_TEACHER:
        teacher = [row for row in values.published if (row["experiment"], row["metric"]) == (TEACHERS, ACCURACY)]
        found += [(row["setting"].removesuffix("_test"), {**row, "metric": LAST}) for row in teacher]
    order = list(dict.fromkeys(row["setting"].removesuffix("_test") for row in values.published))
    found.sort(key=lambda pair: order.index(pair[0]))
    return [
        row_of(dataset, row["model"], row["method"], float(row["value"]), metric=row["metric"], note=row["source"])
        for dataset, row in found
    ]


def say_missing(axes: Axes, reasons: Sequence[str]) -> None:
    """Write into a panel, small, why something is not drawn; in its middle where nothing is."""
    import textwrap

    if reasons and not axes.lines:
        say_unavailable(axes, " ".join(dict.fromkeys(reasons)))
    elif reasons:
        text = "\n".join(line for reason in dict.fromkeys(reasons) for line in textwrap.wrap(reason, 46))
        low, high = axes.get_ylim()
        named = [label.xy[1] for label in axes.texts if hasattr(label, "xy")]  # means written beside their points
        taken = any(height < low + 0.25 * (high - low) for height in named)
        place = {"y": 0.98, "va": "top"} if taken else {"y": 0.02, "va": "bottom"}
        axes.text(x=0.02, s=text, transform=axes.transAxes, color=FAINT, fontsize=5, parse_math=False, **place)


def finish(figure: Figure, axes: Sequence[Axes], rows: list[dict[str, Any]], args: argparse.Namespace) -> None:
    """Add one legend for all panels, stamp the tier and write the figure with its rows."""
    for place in axes:
        low, high = place.get_ylim()
        place.set_ylim(max(low, -2), min(high, 102))  # room for a marker at the ends of what an accuracy can be
    legend_above(figure, axes)
    save(figure, rows, COLUMNS, args)


def draw_figure(
    argv: Sequence[str] | None,
    about: str | None,
    artifacts: Sequence[str],
    height: float,
    draw_panel: Callable[[Axes, str, Measured, Plan, str], list[dict[str, Any]]],
) -> None:
    """Run a figure step: read its flags, draw a panel for each data set, save the figure with the rows drawn.

    about: the step's docstring; artifacts: the figures it can draw; height: of a panel in inches; draw_panel: draws one
    data set's panel of the named figure and returns its rows.
    """
    args = artifact_flags(argv, about, FIGURE, names=artifacts)
    plan = parse_settings(Plan, args.settings)
    values = args.measured.of_seeds(plan.runs_of(args.artifact))
    names = plan.sets_of(args.artifact)
    figure, axes = panels(names, height)
    rows = [row for place, name in zip(axes, names) for row in draw_panel(place, args.artifact, values, plan, name)]
    finish(figure, axes, rows + published_rows(args.artifact, values), args)


def label_shares(axes: Axes, shares: Sequence[float]) -> None:
    """Name the horizontal axis of a panel over shares of the training rows."""
    axes.set_xlabel("share of the training rows (%)")
    axes.set_xticks([100 * share for share in shares], [f"{100 * share:g}" for share in shares])
