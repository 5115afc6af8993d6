"""Names beside points: none covers another name, a point or an interval as long as there is room."""

from __future__ import annotations

import pytest
from matplotlib.text import Text

from scripts.common.plotting import SHIFT_STEP, draw_points, new_figure
from scripts.common.point_labels import _boxes, _overlap, asides, label_points, name_mark
from scripts.common.spread import Spread, spread


def placed(points: list[tuple[float, Spread, str, str]]) -> tuple[list, list]:
    """Draw points and names; return the boxes of the names and of points and intervals, in pixels."""
    figure, axes = new_figure("single", 2.3)
    axes.set_xlim(0, 10)
    axes.set_ylim(0, 1)
    for x, value, name, _ in points:
        draw_points(axes, [x], [value], name)
    label_points(axes, points)
    renderer = figure.canvas.get_renderer()
    names = [text.get_window_extent(renderer) for text in axes.texts]
    return names, [box for x, value, _, _ in points for box in _boxes(axes, x, value)]


def test_close_points_have_names_that_do_not_cover_anything() -> None:
    rows = [(4.0, 0.50), (4.0, 0.55), (4.2, 0.45), (9.8, 0.98), (0.2, 0.02)]
    points = [(x, spread([y - 0.02, y, y + 0.02]), f"method {i}", "#000000") for i, (x, y) in enumerate(rows)]
    names, points_drawn = placed(points)
    assert len(names) == len(rows)
    for number, name in enumerate(names):
        assert all(_overlap(name, other) == 0 for other in names[number + 1 :])
        assert all(_overlap(name, box) == 0 for box in points_drawn)


def test_a_lone_point_has_its_name_to_the_right() -> None:
    (name,), boxes = placed([(5.0, spread([0.5]), "alone", "#000000")])
    assert name.x0 > boxes[0].x1
    assert name.y0 < (boxes[0].y0 + boxes[0].y1) / 2 < name.y1


def test_points_of_equal_cost_stand_side_by_side_in_their_order() -> None:
    figure, axes = new_figure("single", 2.3)
    axes.set_xlim(0, 10)
    assert asides(axes, [2.0, 8.0]) == [0, 0]
    assert asides(axes, [5.0, 5.0]) == pytest.approx([-SHIFT_STEP / 2, SHIFT_STEP / 2])
    assert asides(axes, [5.0, 5.0, 5.0]) == pytest.approx([-SHIFT_STEP, 0, SHIFT_STEP])
    points = axes.bbox.width / 10 / (figure.dpi / 72)  # of one unit of x
    places = [5.05, 5.0, 5.0, 5.1]
    drawn = sorted((x * points + aside, x) for x, aside in zip(places, asides(axes, places)))
    assert [x for _, x in drawn] == sorted(places)  # dearer ones stay to the right
    gaps = [right - left for (left, _), (right, _) in zip(drawn, drawn[1:])]
    assert min(gaps) >= SHIFT_STEP - 1e-6


def test_the_name_of_a_line_crosses_neither_levels_nor_points() -> None:
    figure, axes = new_figure("single", 2.3)
    axes.set_xlim(0, 10)
    axes.set_ylim(0, 1)
    for level in (0.1, 0.75):
        axes.axhline(level)
    axes.axvline(5.0)
    points = [(4.8, spread([0.35, 0.37, 0.39]), "near", "#000000")]
    name_mark(axes, 5.0, "one run", points)
    figure.canvas.draw()
    (box,) = [text.get_window_extent() for text in axes.texts]
    assert axes.bbox.y0 <= box.y0
    assert box.y1 <= axes.bbox.y1
    for level in (0.1, 0.75):
        height = axes.transData.transform((0, level))[1]
        assert not box.y0 < height < box.y1
    assert all(_overlap(box, taken) == 0 for taken in _boxes(axes, 4.8, points[0][1]))


def test_a_name_avoids_the_levels_and_the_name_of_the_line() -> None:
    figure, axes = new_figure("single", 2.3)
    axes.set_xlim(0, 10)
    axes.set_ylim(0, 1)
    axes.axhline(0.5)
    points = [(4.0, spread([0.5]), "on the level", "#000000")]
    label_points(axes, points)
    figure.canvas.draw()
    box = Text.get_window_extent(axes.texts[0])
    height = axes.transData.transform((0, 0.5))[1]
    assert not box.y0 < height < box.y1
