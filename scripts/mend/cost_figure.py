"""Draws costs against the number of demonstrations, counted ones and seconds alike."""

from __future__ import annotations

from typing import Any, Sequence

from scripts.common.figures import legend_above, save, say_unavailable
from scripts.common.measured import Measured
from scripts.common.method_styles import method_style
from scripts.common.plotting import new_figure
from scripts.mend.figures import figure_flags

COLUMNS = ("panel", "method", "demonstrations", "value", "unit")
STYLES = {
    "zero_shot": ("zero_shot", 1.0, "zero-shot"),
    "icl_uncached": ("icl", 0.45, "in-context learning, nothing kept"),
    "icl_cached": ("icl", 1.0, "in-context learning, demonstrations kept"),
    "mend_uncached": ("mend", 0.45, "MEND, nothing kept"),
    "mend": ("mend", 1.0, "MEND, vectors kept"),
}
"""Of each method: whose colour it takes, how strong that is, and its printed name."""
WEIGHTS = {"zero_shot": (2.0, 0.0), "icl": (2.2, 5.5), "mend": (1.1, 3.0)}
"""Width of the line and size of the marker: MEND's lie on top and are finer, so that equal lines are both seen."""
WIDEST = 1000  # ratio of the largest to the smallest value up to which the axis is logarithmic


def series(measured: Measured, metric: str) -> dict[str, list[tuple[int, float]]]:
    """Return, per method, (number of demonstrations, value) of a metric, ascending."""
    found: dict[str, list[tuple[int, float]]] = {}
    for row in measured.rows:
        if row["metric"] == metric and row["setting"].startswith("k_"):
            found.setdefault(row["method"], []).append((int(row["setting"][2:]), float(row["value"])))
    return {method: sorted(found[method]) for method in STYLES if method in found}


def draw(axes: Any, lines: dict[str, list[tuple[int, float]]], scale: float, label: str) -> None:
    """Draw one line per method; zero-shot, which has no demonstrations, as a dotted level.

    The axis is logarithmic, since the methods differ by orders of magnitude, unless one needs next to nothing.
    """
    from matplotlib.ticker import LogLocator

    numbers = sorted({number for method, line in lines.items() if method != "zero_shot" for number, _ in line})
    for method, line in lines.items():
        base, strength, name = STYLES[method]
        style, (width, size) = method_style(base), WEIGHTS[base]
        if method == "zero_shot":
            axes.axhline(line[0][1] / scale, color=style.color, linestyle=":", linewidth=width, label=name)
            continue
        axes.plot(
            [number for number, _ in line],
            [value / scale for _, value in line],
            color=style.color,
            alpha=strength,
            marker=style.marker,
            linewidth=width,
            markersize=size,
            label=name,
        )
    axes.set_xticks(numbers)
    values = [value for line in lines.values() for _, value in line]
    if max(values) < WIDEST * min(values):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.minorticks_off()
    else:
        axes.set_ylim(bottom=-0.04 * axes.get_ylim()[1])  # room for the markers of what takes no time
    axes.set_xlabel("demonstrations (K)")
    axes.set_ylabel(label)


def draw_figure(
    argv: Sequence[str] | None, about: str | None, panels: Sequence[tuple[str, str, str, float, str]]
) -> None:
    """Draw an artifact's panels: (metric, title, axis label, scale, unit) each, and write the figure."""
    args, settings = figure_flags(argv, about)
    n = settings.efficiency["n_queries"]
    figure, grid = new_figure("double", 2.6, ncols=len(panels), squeeze=False)
    rows: list[dict[str, Any]] = []
    for axes, (metric, title, label, scale, unit) in zip(grid[0], panels):
        lines = series(args.measured, metric)
        if not lines:
            say_unavailable(axes, args.measured.reason() or "not measured in this run")
            rows.append({"panel": metric, "method": "", "demonstrations": "", "value": "", "unit": unit})
            continue
        draw(axes, lines, scale, label.format(n=n))
        axes.set_title(title)
        for method, line in lines.items():
            rows += [
                {"panel": metric, "method": method, "demonstrations": number, "value": value / scale, "unit": unit}
                for number, value in line
            ]
    legend_above(figure, grid[0])
    save(figure, rows, COLUMNS, args)
