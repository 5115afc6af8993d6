"""Names written beside the points of a figure, so that none covers another, a point or its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Sequence

from scripts.common.spread import Spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

FONT_SIZE = 6.5
MARKER_POINTS = 3.5  # half the side of the square that a marker covers
BAR_POINTS = 1.5  # half the width of an interval
# Where a name may stand, in points from its point: (x, y, horizontal alignment), the first that is free is taken.
PLACES = tuple(
    (dx, dy, side)
    for distance in (6, 12, 18, 26)
    for dx, dy, side in (
        (5, 0, "left"),
        (-5, 0, "right"),
        (4, distance, "left"),
        (4, -distance, "left"),
        (-4, distance, "right"),
        (-4, -distance, "right"),
        (0, distance + 4, "center"),
        (0, -distance - 4, "center"),
    )
)


def label_points(axes: Axes, points: Sequence[tuple[float, Spread, str, str]]) -> None:
    """Write a name beside each point (x, mean with interval, name, colour), after everything else is drawn.

    A name that finds no free place stands where it covers least; one that is not next to its point is tied to it by a
    thin line.
    """
    from matplotlib.patheffects import withStroke

    figure = axes.figure
    figure.draw_without_rendering()  # the layout decides what lies where
    renderer = figure.canvas.get_renderer()
    inside = axes.get_window_extent(renderer)
    taken = [box for x, value, _, _ in points for box in _boxes(axes, x, value)]
    for x, value, name, colour in points:
        best, least = None, float("inf")
        for dx, dy, side in PLACES:
            text = axes.annotate(
                name, (x, value.mean), (dx, dy), textcoords="offset points", ha=side, va="center", fontsize=FONT_SIZE
            )
            box = text.get_window_extent(renderer).padded(0.5)
            text.remove()
            covered = sum(_overlap(box, other) for other in taken) + 10 * _outside(box, inside)
            if covered < least:
                best, least = (dx, dy, side, box), covered
            if covered == 0:
                break
        assert best is not None
        dx, dy, side, box = best
        line = {"arrowstyle": "-", "linewidth": 0.4, "color": colour, "shrinkA": 0, "shrinkB": 2}
        text = axes.annotate(
            name,
            (x, value.mean),
            (dx, dy),
            textcoords="offset points",
            ha=side,
            va="center",
            fontsize=FONT_SIZE,
            color=colour,
            arrowprops=line if abs(dy) > 8 else None,
            path_effects=[withStroke(linewidth=1.6, foreground="white")],  # readable on a line
        )
        text.set_in_layout(False)
        taken.append(box)


def _boxes(axes: Axes, x: float, value: Spread) -> list[Bbox]:
    """Return what a marker and its interval cover, in pixels."""
    from matplotlib.transforms import Bbox

    scale = axes.figure.dpi / 72
    places = axes.transData.transform([(x, value.low), (x, value.mean), (x, value.high)])
    (left, low), (_, middle), (_, high) = places
    marker, bar = MARKER_POINTS * scale, BAR_POINTS * scale
    return [
        Bbox([[left - marker, middle - marker], [left + marker, middle + marker]]),
        Bbox([[left - bar, low], [left + bar, high]]),
    ]


def _overlap(one: Bbox, other: Bbox) -> float:
    """Return the area that two boxes share."""
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return float(width * height) if width > 0 and height > 0 else 0.0


def _outside(box: Bbox, frame: Bbox) -> float:
    """Return the area of a box that lies outside a frame."""
    return float(box.width * box.height) - _overlap(box, frame)
