"""Draw where attention goes (MEND): that of the language model's last position, and that of the distiller's vectors.

Above: the share of attention on the demonstrations, or on the vectors that replace them, and on the query, by layer.
Below: on which vector the language model looks, and on which demonstration the distiller looks.
"""

from __future__ import annotations

import re
from typing import Any, Sequence

from scripts.common.errors import run_step
from scripts.common.figures import save, say_unavailable
from scripts.common.measured import Measured
from scripts.common.method_styles import method_style
from scripts.common.plotting import new_figure
from scripts.mend.figures import figure_flags

COLUMNS = ("reader", "layer", "part", "share")
LINES = (
    ("llm_icl", "demonstrations", "icl", "-"),
    ("llm_icl", "query", "icl", ":"),
    ("llm_mend", "vectors", "mend", "-"),
    ("llm_mend", "query", "mend", ":"),
)
TITLES = {"llm_icl": "Language model on demonstrations", "llm_mend": "Language model on vectors"}


def shares(measured: Measured) -> list[dict[str, Any]]:
    """Return reader, layer, part and share of every measured value."""
    return [
        {
            "reader": row["method"],
            "layer": int(row["setting"][len("layer_") :]),
            "part": row["metric"][len("share_") :],
            "share": float(row["value"]),
        }
        for row in measured.rows
    ]


def draw_lines(axes: Any, rows: Sequence[dict[str, Any]], reader: str, reason: str) -> None:
    """Draw the shares of demonstrations or vectors and of the query by layer; reason: why there may be none."""
    parts = {part for name, part, _, _ in LINES if name == reader}
    layers = sorted({row["layer"] for row in rows if row["reader"] == reader and row["part"] in parts})
    if not layers:
        say_unavailable(axes, reason)
        return
    for name, part, method, dashes in LINES:
        line = sorted((r["layer"], r["share"]) for r in rows if (r["reader"], r["part"]) == (name, part))
        if name == reader and line:
            style = method_style(method)
            axes.plot(*zip(*line), color=style.color, marker=style.marker, linestyle=dashes, label=part)
    axes.set_ylim(-0.04, 1.04)
    axes.set_xticks(layers)
    axes.set_xlabel("layer")
    axes.set_ylabel("share of attention")
    axes.set_title(TITLES[reader])
    axes.legend()


def draw_map(
    figure: Any, axes: Any, rows: Sequence[dict[str, Any]], reader: str, stem: str, title: str, reason: str
) -> None:
    """Draw the shares of single vectors or demonstrations as a map, layers downwards; reason: why there may be none."""
    cells = {}
    for row in rows:
        number = re.fullmatch(rf"{stem}_(\d+)", row["part"])
        if row["reader"] == reader and number:
            cells[row["layer"], int(number[1])] = row["share"]
    if not cells:
        say_unavailable(axes, reason)
        return
    layers, numbers = sorted({key[0] for key in cells}), sorted({key[1] for key in cells})
    grid = [[cells.get((layer, number), 0.0) for number in numbers] for layer in layers]
    image = axes.imshow(grid, aspect="auto", cmap="viridis", vmin=0)
    axes.grid(False)
    axes.set_yticks(range(len(layers)), layers)
    few = range(0, len(numbers), 1 + (len(numbers) - 1) // 16)
    axes.set_xticks(few, [numbers[place] for place in few])
    axes.set_xlabel(stem)
    axes.set_ylabel("layer")
    axes.set_title(title)
    bar = figure.colorbar(image, ax=axes)
    bar.set_label("share of attention")


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    args, _ = figure_flags(argv, __doc__)
    rows = shares(args.measured)
    reason = args.measured.reason() or "not measured in this run"
    figure, grid = new_figure("double", 4.4, nrows=2, ncols=2)
    for axes, reader in zip(grid[0], TITLES):
        draw_lines(axes, rows, reader, reason)
    draw_map(figure, grid[1][0], rows, "distiller", "demonstration", "Distiller on demonstrations", reason)
    draw_map(figure, grid[1][1], rows, "llm_mend", "vector", "Language model on each vector", reason)
    empty = [{"reader": "", "layer": "", "part": "", "share": ""}]
    save(figure, rows or empty, COLUMNS, args)


if __name__ == "__main__":
    run_step(main)
