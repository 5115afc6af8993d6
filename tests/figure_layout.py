"""What no figure may do: cut a text off, write one over another, or draw an interval beyond its panel."""

from __future__ import annotations

import math
from typing import Any, Iterator

SLACK = 1.5  # pixels: letters are measured with the room of their font
COVERED = 0.12  # share of the smaller text that another may cover: a box holds the room above and below its letters


def faults(figure: Any) -> list[str]:
    """Return a line for each fault in the layout of a finished figure."""
    figure.draw_without_rendering()
    return [*cut_texts(figure), *covered_texts(figure), *cut_intervals(figure)]


def texts(figure: Any) -> Iterator[tuple[str, Any, bool]]:
    """Yield (words, box in pixels, whether it is slanted) of every text that is seen."""
    from matplotlib.text import Text

    renderer = figure.canvas.get_renderer()
    shown, labels = _tick_labels(figure)
    for text in figure.findobj(Text):
        words = text.get_text().strip()
        off = text.axes is not None and not text.axes.axison and id(text) in labels
        if words and text.get_visible() and not off and (id(text) not in labels or id(text) in shown):
            slanted = text.get_rotation() % 90 != 0
            yield words, Text.get_window_extent(text, renderer), slanted  # an annotation's own extent holds its arrow


def _tick_labels(figure: Any) -> tuple[set[int], set[int]]:
    """Return the labels of ticks that are drawn, and all labels of axes: matplotlib keeps more than it draws."""
    shown, labels = set(), set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            labels |= {id(axis.label), id(axis.offsetText)}
            for tick in (*axis.majorTicks, *axis.minorTicks):
                labels |= {id(tick.label1), id(tick.label2)}
            if axes.axison and axes.get_visible():
                shown |= {id(label) for tick in axis._update_ticks() for label in (tick.label1, tick.label2)}
                shown.add(id(axis.label))
    return shown, labels


def cut_texts(figure: Any) -> list[str]:
    """Return the texts that reach beyond the page; the strip below it is added when it is saved."""
    page = figure.bbox
    below = figure.dpi * 0.4
    return [
        f"cut off: {words!r}"
        for words, box, _ in texts(figure)
        if box.x0 < page.x0 - SLACK or box.x1 > page.x1 + SLACK or box.y1 > page.y1 + SLACK or box.y0 < page.y0 - below
    ]


def covered_texts(figure: Any) -> list[str]:
    """Return the pairs of texts of which one covers the other.

    Two slanted ones are left out: the boxes of neighbours overlap where their letters do not.
    """
    found, seen = [], list(texts(figure))
    for number, (words, box, slanted) in enumerate(seen):
        for other_words, other, other_slanted in seen[number + 1 :]:
            width = min(box.x1, other.x1) - max(box.x0, other.x0)
            height = min(box.y1, other.y1) - max(box.y0, other.y0)
            smaller = min(box.width * box.height, other.width * other.height)
            if slanted and other_slanted:
                continue
            if width > 0 and height > 0 and width * height > COVERED * smaller:
                found.append(f"over each other: {words!r} and {other_words!r}")
    return found


def cut_intervals(figure: Any) -> list[str]:
    """Return the panels in which an error bar reaches beyond the limits of an axis, and is cut there."""
    from matplotlib.container import ErrorbarContainer

    found = []
    for axes in figure.axes:
        (x0, x1), (y0, y1) = sorted(axes.get_xlim()), sorted(axes.get_ylim())
        slack_x, slack_y = 0.01 * (x1 - x0), 0.01 * (y1 - y0)
        bars = [one for one in axes.containers if isinstance(one, ErrorbarContainer)]
        bars += [one.errorbar for one in axes.containers if getattr(one, "errorbar", None) is not None]
        for stems in (stem for bar in bars for stem in bar.lines[2]):
            for segment in stems.get_segments():
                for x, y in segment:
                    inside = x0 - slack_x <= x <= x1 + slack_x and y0 - slack_y <= y <= y1 + slack_y
                    if not inside and not math.isnan(x + y):
                        found.append(f"an interval ends at ({x:g}, {y:g}), beyond {axes.get_title(loc='left')!r}")
    return found
