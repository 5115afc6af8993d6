"""Names beside points: none covers another name, a point or an interval as long as there is room."""

from __future__ import annotations

from scripts.common.plotting import draw_points, new_figure
from scripts.common.point_labels import _boxes, _overlap, label_points
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
