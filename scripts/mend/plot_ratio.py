"""Draw the score against the distillation ratio, the demonstrations' tokens over the vectors that replace them.

MEND, Figure 4: (a) the number of demonstrations varies, (b) the number of vectors.
"""

from __future__ import annotations

from typing import Any, Sequence

from scripts.common.bounds import PERCENT
from scripts.common.errors import run_step
from scripts.common.figures import SPREAD_COLUMNS, legend_above, save, say_unavailable, spread_cells
from scripts.common.measured import Measured
from scripts.common.plotting import draw_line, draw_points, new_figure, shifts
from scripts.common.spread import Spread
from scripts.common.tables import Missing
from scripts.mend.comparison import Comparison
from scripts.mend.experiments import RATIO, SCORE, USUAL, with_number
from scripts.mend.figures import SCORE_LABEL, figure_flags

COLUMNS = ("panel", "setting", "method", "demonstrations", "vectors", "ratio", *SPREAD_COLUMNS)


def points_of(measured: Measured, settings: Comparison, setting: str, part: str) -> list[dict[str, Any]]:
    """Return one row per point of a panel; `value` holds the score's spread, `ratio` the mean ratio.

    part: "a" (demonstrations vary) or "b" (vectors vary). In-context learning has no vectors: it stands at the ratio
    that MEND has with as many demonstrations.
    """
    figure, usual = settings.show, settings.n_demonstrations
    if part == "a":
        cells = [
            (m, m, "mend", n, settings.n_vectors, with_number(n, usual))
            for m in figure["methods"]
            for n in figure["n_demonstrations"]
        ]
    else:
        swept = figure["distillers"].items()
        cells = [("mend", name, name, usual, int(size), USUAL) for size, name in swept]
    points = []
    for method, scored, distilled, number, vectors, condition in cells:
        where = {"experiment": condition.experiment, "model": settings.model}
        value = measured.cell(condition.setting(setting), scored, SCORE, **where)
        ratio = measured.number(condition.setting(setting), distilled, RATIO, **where)
        points.append(
            {
                "panel": part,
                "setting": setting,
                "method": method,
                "demonstrations": number,
                "vectors": vectors,
                "ratio": "" if isinstance(ratio, Missing) else ratio,
                "value": value,
            }
        )
    return points


def draw(axes: Any, points: Sequence[dict[str, Any]], part: str) -> None:
    """Draw one panel; points without a value or a ratio are left out."""
    from matplotlib.patheffects import withStroke

    methods = list(dict.fromkeys(point["method"] for point in points))
    for method, shift in zip(methods, shifts(len(methods))):
        known = [p for p in points if p["method"] == method and isinstance(p["value"], Spread) and p["ratio"] != ""]
        known.sort(key=lambda point: point["ratio"])
        if known:
            ratios, values = [p["ratio"] for p in known], [p["value"] for p in known]
            (draw_line if len(known) > 1 else draw_points)(axes, ratios, values, method, shift=shift, bounds=PERCENT)
    ratios = sorted({round(point["ratio"], 2) for point in points if point["ratio"] != ""})
    axes.set_xscale("log")
    axes.set_xticks(ratios, [f"{ratio:.3g}" for ratio in ratios])
    axes.set_xticks([], minor=True)
    axes.margins(x=0.16)
    axes.set_xlabel("demonstration tokens per vector")
    varied = "demonstrations" if part == "a" else "vectors"
    axes.set_title(f"({part}) {varied} vary\n{points[0]['title']}")
    for point in points:
        if point["method"] == "mend" and isinstance(point["value"], Spread) and point["ratio"] != "":
            text = f"K={point['demonstrations']}" if part == "a" else f"L={point['vectors']}"
            place = (point["ratio"], point["value"].mean)
            halo = [withStroke(linewidth=2, foreground="white")]
            # Lines rise in (a) and fall in (b): the free side of a point is below or above it.
            axes.annotate(
                text,
                place,
                xytext=(6, -9 if part == "a" else 4),
                textcoords="offset points",
                fontsize=6,
                path_effects=halo,
            )


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure: a row of panels for each setting."""
    args, settings = figure_flags(argv, __doc__)
    names = list(settings.order)
    figure, grid = new_figure("double", 2.5 * len(names), nrows=len(names), ncols=2, squeeze=False, sharey="row")
    rows: list[dict[str, Any]] = []
    for line, setting in zip(grid, names):
        for axes, part in zip(line, "ab"):
            points = points_of(args.measured, settings, setting, part)
            rows += [{**{c: p[c] for c in COLUMNS[:6]}, **spread_cells(p["value"])} for p in points]
            if not any(isinstance(point["value"], Spread) and point["ratio"] != "" for point in points):
                missing = [point["value"].reason for point in points if isinstance(point["value"], Missing)]
                say_unavailable(axes, missing[0] if missing else "the ratio, which MEND has, was not measured")
                continue
            draw(axes, [{**point, "title": settings.title(setting)} for point in points], part)
        line[0].set_ylabel(SCORE_LABEL)
    legend_above(figure, grid.flat)
    save(figure, rows, COLUMNS, args)


if __name__ == "__main__":
    run_step(main)
