"""Names written beside the points of a figure, so that none covers another, a point, its interval or a line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterable, Sequence

from scripts.common.plotting import FAINT, SHIFT_STEP
from scripts.common.spread import Spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

FONT_SIZE = 6.5
MARK_SIZE = 6.0
MARKER_POINTS = 3.5  # half the side of the square that a marker covers
BAR_POINTS = 1.5  # half the width of an interval
LINE_POINTS = 0.6  # half the width of a level or a mark
LINE_WEIGHT = 0.4  # of covering a line, beside a point or a name: what crosses a line is still readable
MARK_PLACES = 24  # heights at which the name of a vertical line is tried
# Where a name may stand, in points from its point: (x, y, horizontal alignment), the first that is free is taken.
PLACES = tuple(
    (dx, dy, side)
    for distance in (6, 12, 18, 26, 36, 48)
    for dx, dy, side in (
        (5, 0, "left"),
        (-5, 0, "right"),
        (4, distance, "left"),
        (4, -distance, "left"),
        (-4, distance, "right"),
        (-4, -distance, "right"),
        (0, distance + 4, "center"),
        (0, -distance - 4, "center"),
        (12, distance, "left"),
        (12, -distance, "left"),
        (-12, distance, "right"),
        (-12, -distance, "right"),
    )
)

Point = tuple[float, Spread, str, str]


def asides(axes: Axes, places: Sequence[float]) -> list[float]:
    """Return how far to the side, in points, each point is drawn so that intervals at nearly one place do not overlap.

    places: the points' x in data, on an axis whose scale and limits are set. Neighbours end up at least a step of
    `shifts` apart, in their order, those at one place in the order given; all are moved as little as that takes.
    """
    scale = axes.figure.dpi / 72
    points = [axes.transData.transform((x, axes.get_ylim()[0]))[0] / scale for x in places]
    order = sorted(range(len(places)), key=lambda number: (points[number], number))
    # Least squares under a least distance: pool neighbours that would stand too close (isotonic regression).
    pools: list[list[float]] = []
    for rank, number in enumerate(order):
        pools.append([points[number] - rank * SHIFT_STEP])
        while len(pools) > 1 and _mean(pools[-2]) > _mean(pools[-1]):
            pools[-2:] = [pools[-2] + pools[-1]]
    starts = [_mean(pool) for pool in pools for _ in pool]
    found = [0.0] * len(places)
    for rank, (number, start) in enumerate(zip(order, starts)):
        found[number] = start + rank * SHIFT_STEP - points[number]
    return found


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def name_mark(axes: Axes, x: float, name: str, points: Sequence[Point], aside: Sequence[float] = ()) -> None:
    """Write the name of a vertical line along it, at the height where it covers least of points and other lines."""
    figure = axes.figure
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    taken = [*_point_boxes(axes, points, aside), *_lines(axes, across=True)]
    best, least = 0.0, float("inf")
    for number in range(MARK_PLACES):
        height = 0.01 + 0.98 * number / MARK_PLACES
        text = _mark(axes, x, height, name)
        box = text.get_window_extent(renderer).padded(1)
        text.remove()
        covered = sum(_overlap(box, other) for other in taken) + 10 * _outside(box, axes.get_window_extent(renderer))
        if covered < least:
            best, least = height, covered
    _mark(axes, x, best, name).set_in_layout(False)


def _mark(axes: Axes, x: float, height: float, name: str):  # type: ignore[no-untyped-def]
    return axes.annotate(
        name, (x, height), (-1, 0), xycoords=axes.get_xaxis_transform(), textcoords="offset points", ha="right",
        va="bottom", rotation=90, fontsize=MARK_SIZE, color=FAINT,
    )  # fmt: skip


def label_points(axes: Axes, points: Sequence[Point], aside: Sequence[float] = ()) -> None:
    """Write a name beside each point (x, mean with interval, name, colour), after everything else is drawn.

    aside: how far to the side each point is drawn, in points. A name that finds no free place stands where it covers
    least; one that is not next to its point is tied to it by a thin line.
    """
    from matplotlib.patheffects import withStroke

    figure = axes.figure
    figure.draw_without_rendering()  # the layout decides what lies where
    renderer = figure.canvas.get_renderer()
    inside = axes.get_window_extent(renderer)
    aside = aside or [0.0] * len(points)
    taken = [*_point_boxes(axes, points, aside), *(text.get_window_extent(renderer) for text in axes.texts)]
    lines = _lines(axes)
    for (x, value, name, colour), shift in zip(points, aside):
        best, least = None, float("inf")
        for dx, dy, side in PLACES:
            text = axes.annotate(
                name, (x, value.mean), (dx + shift, dy), textcoords="offset points", ha=side, va="center",
                fontsize=FONT_SIZE,
            )  # fmt: skip
            box = text.get_window_extent(renderer).padded(0.5)
            text.remove()
            covered = sum(_overlap(box, other) for other in taken) + 10 * _outside(box, inside)
            covered += LINE_WEIGHT * sum(_overlap(box, line) for line in lines)
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
            (dx + shift, dy),
            textcoords="offset points",
            ha=side,
            va="center",
            fontsize=FONT_SIZE,
            color=colour,
            arrowprops=line if max(abs(dx), abs(dy)) > 8 else None,
            path_effects=[withStroke(linewidth=1.6, foreground="white")],  # readable on a line
        )
        text.set_in_layout(False)
        taken.append(box)


def _point_boxes(axes: Axes, points: Sequence[Point], aside: Sequence[float]) -> list[Bbox]:
    shifted = zip(points, aside or [0.0] * len(points))
    return [box for (x, value, _, _), shift in shifted for box in _boxes(axes, x, value, shift)]


def _boxes(axes: Axes, x: float, value: Spread, shift: float = 0.0) -> list[Bbox]:
    """Return what a marker and its interval cover, in pixels."""
    from matplotlib.transforms import Bbox

    scale = axes.figure.dpi / 72
    places = axes.transData.transform([(x, value.low), (x, value.mean), (x, value.high)])
    (left, low), (_, middle), (_, high) = places
    left += shift * scale
    marker, bar = MARKER_POINTS * scale, BAR_POINTS * scale
    return [
        Bbox([[left - marker, middle - marker], [left + marker, middle + marker]]),
        Bbox([[left - bar, low], [left + bar, high]]),
    ]


def _lines(axes: Axes, *, across: bool = False) -> list[Bbox]:
    """Return what the straight lines through the whole panel cover, in pixels; across: only those that lie across."""
    return [box for box, level in _spanning(axes) if level or not across]


def _spanning(axes: Axes) -> Iterable[tuple[Bbox, bool]]:
    from matplotlib.transforms import Bbox

    half, frame = LINE_POINTS * axes.figure.dpi / 72, axes.bbox
    for line in axes.lines:
        xs, ys = (list(values) for values in (line.get_xdata(), line.get_ydata()))
        if len(xs) != 2:
            continue
        (x0, y0), (x1, y1) = line.get_transform().transform(list(zip(xs, ys)))
        if xs == [0, 1] and abs(y1 - y0) < 1:
            yield Bbox([[frame.x0, y0 - half], [frame.x1, y0 + half]]), True
        elif ys == [0, 1] and abs(x1 - x0) < 1:
            yield Bbox([[x0 - half, frame.y0], [x0 + half, frame.y1]]), False


def _overlap(one: Bbox, other: Bbox) -> float:
    """Return the area that two boxes share."""
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return float(width * height) if width > 0 and height > 0 else 0.0


def _outside(box: Bbox, frame: Bbox) -> float:
    """Return the area of a box that lies outside a frame."""
    return float(box.width * box.height) - _overlap(box, frame)
