"""Intervals end at what a measure can be, without an end mark, and the figure says so; the layout checks see faults."""

from __future__ import annotations

import math
import types

import pytest

from scripts.common import plotting
from scripts.common.bounds import ANY, PERCENT, SHARE, bounds_of
from scripts.common.figures import save, save_empty
from scripts.common.files import read_csv
from scripts.common.spread import Spread
from tests.figure_layout import covered_texts, cut_intervals, cut_texts, faults

WIDE = Spread(mean=95.0, std=4.0, n=3, half_width=10.0)  # 85 to 105
INSIDE = Spread(mean=50.0, std=4.0, n=3, half_width=10.0)
LOW = Spread(mean=4.0, std=4.0, n=3, half_width=10.0)  # -6 to 14


@pytest.mark.parametrize(
    ("metric", "bounds"),
    [
        ("score_percent", (0, 100)),
        ("test_accuracy_percent", (0, 100)),
        ("exact_match", (0, 1)),
        ("in_context_accuracy", (0, 1)),
        ("judge_score", (1, 5)),
        ("mt_bench_score_1_to_10", (1, 10)),
        ("reference_loglik_nats_per_token", (-math.inf, 0)),
        ("relative_gain_percent", ANY),  # may be negative, or more than doubled
        ("total_flops", ANY),
    ],
)
def test_what_a_metric_can_be(metric, bounds):
    assert bounds_of(metric) == bounds


def stems(axes) -> list[list[list[float]]]:
    """Return the ends of all error bars: of each bar its two points."""
    return [segment.tolist() for collection in axes.collections for segment in collection.get_segments()]


def caps(axes, axis: str = "y") -> list[list[float]]:
    """Return the places of the end marks, of the lower and of the upper ends."""
    (bars,) = [one for one in axes.containers if hasattr(one, "lines")]
    return [list(getattr(cap, f"get_{axis}data")()) for cap in bars.lines[1]]


def test_an_interval_ends_at_the_bound_and_has_no_mark_there():
    _, axes = plotting.new_figure("single", 2.0)
    plotting.draw_points(axes, [0, 1, 2], [WIDE, INSIDE, LOW], "mend", bounds=PERCENT)
    assert [[y for _, y in stem] for stem in stems(axes)] == [[85, 100], [40, 60], [0, 14]]
    lower, upper = caps(axes)
    assert lower[:2] == [85, 40]
    assert math.isnan(lower[2])
    assert upper[1:] == [60, 14]
    assert math.isnan(upper[0])


def test_an_interval_that_lies_across_ends_at_the_bound():
    _, axes = plotting.new_figure("single", 2.0)
    plotting.draw_across(axes, 3.0, Spread(0.9, 0.1, 3, 0.25), "mend", bounds=SHARE)
    (stem,) = stems(axes)
    assert stem == [[0.65, 3.0], [1.0, 3.0]]
    lower, upper = caps(axes, "x")
    assert lower == [pytest.approx(0.65)]
    assert math.isnan(upper[0])


def test_bars_and_bands_end_at_the_bounds():
    _, (left, right) = plotting.new_figure("double", 2.0, 1, 2)
    plotting.draw_bars(left, [0], [WIDE], "full", bounds=PERCENT)
    (stem,) = left.containers[-1].errorbar.lines[2][0].get_segments()
    assert stem[:, 1].tolist() == [85, 100]
    many = range(plotting.MOST_ERROR_BARS + 1)
    plotting.draw_line(right, list(many), [WIDE for _ in many], "full", bounds=PERCENT)
    heights = right.collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (85, 100)


@pytest.mark.parametrize(("bounds", "told"), [(PERCENT, True), (ANY, False)])
@pytest.mark.parametrize("width", ["single", "double"])
def test_a_figure_says_that_an_interval_goes_on(tmp_path, bounds, told, width):
    figure, axes = plotting.new_figure(width, 1.5)
    plotting.draw_points(axes, [0], [WIDE], "mend", bounds=bounds)
    paths = {f"{kind}_out": tmp_path / f"x.{kind}" for kind in ("pdf", "png", "csv")}
    save(figure, [{"high": WIDE.high}], ["high"], types.SimpleNamespace(tier="mini", **paths))
    notes = [text.get_text() for text in figure.texts if text.get_gid() == "note"]
    assert notes == ([plotting.CUT_NOTE] if told else [])
    assert read_csv(paths["csv_out"]) == [{"high": "105"}]  # the numbers beside the figure are whole
    assert faults(figure) == []  # neither cut off nor over the stamp


def test_a_figure_of_nothing_is_small_and_says_why(tmp_path):
    paths = {f"{kind}_out": tmp_path / f"x.{kind}" for kind in ("pdf", "png", "csv")}
    save_empty("nobody released it", ("method", "note"), types.SimpleNamespace(tier="paper", **paths))
    assert read_csv(paths["csv_out"]) == [{"method": "", "note": "nobody released it"}]
    from scripts.report.shown_artifacts import png_size

    assert png_size(paths["png_out"].read_bytes(), "x")[1] <= 1.2 * plotting.PNG_DPI


def test_the_layout_check_finds_what_is_cut_or_covered():
    figure, axes = plotting.new_figure("single", 2.0)
    axes.plot([0, 1], [0, 1])
    assert faults(figure) == []
    axes.annotate("far out", (1, 1), xytext=(200, 0), textcoords="offset points").set_in_layout(False)
    assert faults(figure) == cut_texts(figure) == ["cut off: 'far out'"]
    axes.text(0.2, 0.5, "one name")
    axes.text(0.25, 0.5, "another name")
    figure.draw_without_rendering()
    assert covered_texts(figure) == ["over each other: 'one name' and 'another name'"]
    plotting.draw_points(axes, [0.5], [Spread(0.5, 1.0, 2, 2.0)], "mend")
    axes.set_ylim(0, 1)
    assert len(cut_intervals(figure)) == 2  # its two ends
