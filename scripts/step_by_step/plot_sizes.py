"""Draw accuracy against the size of the student (Figures 6 and 7), with the lines of the teacher and of PINTO."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from scripts.common.bounds import PERCENT
from scripts.common.errors import run_step
from scripts.common.measured import Measured
from scripts.common.method_styles import method_style
from scripts.common.plotting import draw_line, shifts
from scripts.common.spread import Spread
from scripts.step_by_step.figures import (
    baseline_of,
    draw_figure,
    draw_teacher,
    labels_of,
    row_of,
    say_missing,
)
from scripts.step_by_step.plan import DSS, LAST, MODELS, N_PARAMETERS, Plan


def model_sizes(values: Measured, models: Sequence[str]) -> dict[str, float]:
    """Return the number of parameters of each model from which a student was trained; the others have none."""
    found = {name: values.number("model", "size", N_PARAMETERS, experiment=MODELS, model=name) for name in models}
    return {name: size for name, size in found.items() if isinstance(size, float)}


def draw_panel(axes: Any, name: str, values: Measured, plan: Plan, dataset: str) -> list[dict[str, Any]]:
    """Draw one data set's curves and lines; return their rows."""
    sizes = model_sizes(values, sorted({*plan.models_of(name), *augmented_models(name, plan)}))
    rows, missing = [], []
    for method, shift in zip((baseline_of(name), DSS), shifts(2)):
        drawn = []
        for model in plan.models_of(name):
            value = values.cell(dataset, method, LAST, experiment=labels_of(name), model=model)
            rows.append(row_of(dataset, model, method, value, n_parameters=sizes.get(model, "")))
            if isinstance(value, Spread):
                drawn.append((sizes[model], value))
            else:
                missing.append(value.reason)
        if drawn:
            drawn.sort(key=lambda point: point[0])
            spreads = [value for _, value in drawn]
            draw_line(axes, [x for x, _ in drawn], spreads, method, shift=shift, bounds=PERCENT)
        if len(sizes) == 1:
            say_values(axes, drawn, shift)
    rows.append(draw_teacher(axes, values, plan, dataset))
    if name == "figure_6":
        rows.append(draw_pinto(axes, values, plan, dataset))
    elif dataset in plan.augment:
        rows += draw_augmented(axes, values, plan, dataset, sizes)
    if sizes:
        axes.set_xscale("log")
    places = sorted(set(sizes.values()))
    axes.set_xticks(places, [size_text(value) for value in places])
    axes.minorticks_off()
    axes.set_xlabel("parameters of the student")
    say_missing(axes, missing)
    return rows


def say_values(axes: Any, points: Sequence[tuple[float, Spread]], shift: float) -> None:
    """Write the means beside the points: where students of one size are compared, no line tells them apart."""
    side = 1 if shift > 0 else -1
    for x, value in points:
        place = {"xytext": (side * 9, 0), "textcoords": "offset points", "va": "center"}
        axes.annotate(f"{value.mean:.1f}", (x, value.mean), ha="left" if side > 0 else "right", fontsize=7, **place)


def draw_pinto(axes: Any, values: Measured, plan: Plan, dataset: str) -> dict[str, Any]:
    """Draw PINTO-like tuning of the main model as a horizontal line; return its row."""
    value = values.cell(dataset, "pinto", LAST, experiment=labels_of("figure_6"), model=plan.main_model)
    if isinstance(value, Spread):
        style = method_style("pinto")
        axes.axhline(value.mean, color=style.color, linestyle="-.", linewidth=1.1, label=style.label)
    return row_of(dataset, plan.main_model, "pinto", value)


def draw_augmented(
    axes: Any, values: Measured, plan: Plan, dataset: str, sizes: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Mark what further unlabelled rows give; return their rows."""
    model = plan.figure_7["augmented_model"]
    rows = []
    for method in (baseline_of("figure_7"), DSS):
        value = values.cell(f"{dataset}_augmented", method, LAST, experiment=labels_of("figure_7"), model=model)
        rows.append(row_of(f"{dataset}_augmented", model, method, value, n_parameters=sizes.get(model, "")))
        if isinstance(value, Spread):
            style = method_style(method)
            label = f"{style.label}, with {plan.augment[dataset]}"
            axes.plot([sizes[model]], [value.mean], marker="*", markersize=9, color=style.color, ls="none", label=label)
    return rows


def augmented_models(artifact: str, plan: Plan) -> list[str]:
    """Return the model whose augmented students a figure shows, none if it has no such students."""
    shown = artifact == "figure_7" and any(name in plan.augment for name in plan.sets_of(artifact))
    return [plan.figure_7["augmented_model"]] if shown else []


def size_text(count: float) -> str:
    """Return a number of parameters as 62k, 220M or 11B."""
    for unit, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if count >= unit:
            return f"{count / unit:.3g}{letter}"
    return f"{count:g}"


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    draw_figure(argv, __doc__, ("figure_6", "figure_7"), 2.3, draw_panel)


if __name__ == "__main__":
    run_step(main)
