"""The common figure style: fixed looks per method, stable bytes, paper values told from ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib.image import imread

from scripts.common import method_styles, plotting
from scripts.common.figures import legend_above
from scripts.common.files import read_csv
from scripts.common.spread import spread
from scripts.selection import methods  # noqa: F401  (adds the looks of the ways of choosing)

ROOT = Path(__file__).resolve().parents[2]


def draw(folder: Path, tier: str = "mini") -> dict[str, Path]:
    figure, axes = plotting.new_figure("single", 1.8)
    plotting.draw_bars(axes, [0, 1], [spread([1, 2, 3]), None], "full", width=0.4)
    plotting.draw_line(axes, [0, 1], [spread([1, 2]), spread([2, 4])], "gt_0.8")
    plotting.draw_points(axes, [0, 1], [spread([2]), spread([3])], "gt_0.8", published=True)
    axes.set_ylabel("win rate (%)")
    plotting.stamp_tier(figure, tier)
    paths = {kind: folder / "figures" / f"nuggets_figure.{kind}" for kind in ("pdf", "png", "csv")}
    plotting.save_figure(figure, [{"method": "full", "mean": 2.0, "std": None}], **paths)
    return paths


def hue_distance(first: str, second: str) -> int:
    return sum(abs(int(first[i : i + 2], 16) - int(second[i : i + 2], 16)) for i in (1, 3, 5))


def test_every_method_keeps_its_look_and_unknown_ones_get_one_from_their_name():
    assert method_styles.method_style("full").color == "#000000"
    first = method_styles.method_style("some_new_method")
    method_styles.method_style.cache_clear()
    assert method_styles.method_style("some_new_method") == first
    assert first.label == "some new method"
    assert method_styles.method_style("kmeans_40").color == method_styles.method_style("kmeans_100").color
    assert method_styles.method_label("kmeans_40") == "k-means, 40"


def test_the_thresholds_of_the_paper_have_looks_and_names_of_their_own():
    names = ["le_0.5", "gt_0.5", "gt_0.6", "gt_0.7", "gt_0.8", "gt_0.85", "gt_0.9"]
    styles = [method_styles.method_style(name) for name in names]
    assert len({style.color for style in styles}) == len(names)
    assert [style.label for style in styles[:2]] == ["score ≤ 0.5", "score > 0.5"]
    darkness = [sum(int(style.color[i : i + 2], 16) for i in (1, 3, 5)) for style in styles[1:]]
    assert darkness == sorted(darkness, reverse=True)


@pytest.mark.parametrize(
    "together",
    [
        ["base", "full", "top", "bottom", "random", "perplexity", "ifd", "length", "k_center"],
        ["base", "full", "random", "nuggets", "delift", "ifd", "less", "selectit", "deft_ucs", "k_center"],
        [
            *("base", "full", "random", "k_center", "deft_ucs", "goal_bm25", "goal_neighbours", "perplexity", "ifd"),
            *("selectit", "less", "nuggets", "delift"),
        ],
        ["icl", "random", "mend", "ddg", "bm25", "knn"],
        ["nuggets", "mean_gain", "perplexity", "ifd", "length"],
        ["initial", "random", "selectit", "less", "deft_ucs", "delift_se", "delift", "full"],
        [
            "distilling_step_by_step",
            "standard_finetuning",
            "standard_distillation",
            "single_task",
            "few_shot_cot",
            "pinto",
        ],
        ["zero_shot", "icl", "metaicl", "prompt_tuning", "hyper_tuning", "mend"],
        ["random", "k_centers", "herding", "vanilla_lm", "dilm", "ddg", "full", "bm25", "knn"],
    ],
)
def test_methods_drawn_together_differ_in_colour_and_marker(together):
    styles = [method_styles.method_style(method) for method in together]
    for index, style in enumerate(styles):
        for other in styles[:index]:
            assert hue_distance(style.color, other.color) > 40, (style.label, other.label)
            assert style.marker != other.marker or hue_distance(style.color, other.color) > 120


def test_published_values_are_hollow_and_dashed_and_ours_solid():
    ours, theirs = plotting.line_style("full"), plotting.line_style("full", published=True)
    assert ours["markerfacecolor"] == ours["color"] == theirs["color"]
    assert (ours["linestyle"], theirs["linestyle"]) == ("-", (0, (4, 2)))
    assert theirs["markerfacecolor"] == "white"
    assert theirs["label"] == "full data (published)"
    assert plotting.bar_style("full", published=True)["facecolor"] == "white"
    assert plotting.bar_style("full")["facecolor"] == ours["color"]


def test_bars_carry_the_interval_and_a_dash_for_what_was_not_run():
    _, axes = plotting.new_figure("single", 2.0)
    value = spread([1, 2, 3])
    plotting.draw_bars(axes, [0, 1], [value, None], "full")
    (stem,) = axes.containers[-1].errorbar.lines[2][0].get_segments()
    assert [point[1] for point in stem] == pytest.approx([value.low, value.high])
    assert len(axes.patches) == 1
    assert [text.get_text() for text in axes.texts] == ["—"]


def test_line_has_error_bars_and_a_band_where_points_are_many_and_neither_without_a_spread():
    _, (few, many, single) = plotting.new_figure("double", 2.0, 1, 3)
    several = range(plotting.MOST_ERROR_BARS + 1)
    plotting.draw_line(few, [0, 1], [spread([1, 2]), spread([2, 3])], "top")
    plotting.draw_line(many, list(several), [spread([n, n + 1]) for n in several], "top")
    plotting.draw_line(single, [0, 1], [spread([1]), spread([2])], "top")
    kinds = [[type(found).__name__ for found in axes.collections] for axes in (few, many, single)]
    assert kinds[0] == ["LineCollection"]
    assert kinds[1] == ["FillBetweenPolyCollection"]
    assert kinds[2] == []


def test_a_line_moved_aside_keeps_the_limits_of_its_data():
    _, (left, right) = plotting.new_figure("double", 2.0, 1, 2)
    for axes, shift in ((left, 0.0), (right, 40.0)):
        plotting.draw_line(axes, [10, 20], [spread([1, 2]), spread([2, 3])], "top", shift=shift)
        axes.figure.canvas.draw()
    assert left.get_xlim() == right.get_xlim()
    (plain,), (moved,) = ([axes.lines[0].get_transform().transform((10, 1.5))] for axes in (left, right))
    aside = moved - right.transData.transform((10, 1.5))
    assert aside == pytest.approx([40 / 72 * right.figure.dpi, 0])
    assert plain == pytest.approx(left.transData.transform((10, 1.5)))
    assert plotting.shifts(3) == [-plotting.SHIFT_STEP, 0, plotting.SHIFT_STEP]
    assert plotting.shifts(1) == [0]


@pytest.mark.parametrize("words, rows", [(1, 1), (40, 2)])
def test_one_legend_above_the_panels_as_wide_as_the_figure_allows(words, rows):
    figure, panels = plotting.new_figure("double", 2.0, 1, 2)
    for axes in panels:
        for name in ("a", "b", "c"):
            axes.plot([0, 1], [0, 1], label=name * words)
    legend_above(figure, panels)
    figure.canvas.draw()
    (legend,) = figure.legends
    heights = {round(text.get_window_extent().y0) for text in legend.get_texts()}
    assert len(legend.get_texts()) == 3
    assert len(heights) == rows
    assert legend.get_window_extent().width <= figure.bbox.width


def test_figure_widths():
    assert plotting.new_figure("double", 2.0)[0].get_figwidth() == plotting.WIDTHS["double"]
    with pytest.raises(ValueError, match="single, page, double"):
        plotting.new_figure("triple")


def test_only_the_mini_tier_is_stamped():
    for tier, texts in (("mini", [plotting.MINI_STAMP]), ("paper", [])):
        figure, _ = plotting.new_figure("single", 2.0)
        plotting.stamp_tier(figure, tier)
        assert [text.get_text() for text in figure.texts] == texts


def test_stamp_has_a_strip_of_its_own_below_the_figure(tmp_path):
    def image(tier):
        figure, axes = plotting.new_figure("single", 2.0)
        axes.plot([0, 1], label="line")
        figure.legend(loc="outside lower right")
        plotting.stamp_tier(figure, tier)
        plotting.save_figure(figure, [{"a": 1}], **{kind: tmp_path / f"f.{kind}" for kind in ("pdf", "png", "csv")})
        return (imread(tmp_path / "f.png")[..., :3] * 255).round().astype(int)

    stamped, plain = image("mini"), image("paper")
    strip = stamped.shape[0] - plain.shape[0]
    assert strip == pytest.approx(plotting.STAMP_STRIP * plotting.PNG_DPI, abs=1)
    assert plain.shape[:2] == (400, 670)
    assert (stamped[:400] != plain).any(
        axis=-1
    ).mean() < 0.01  # nothing moved; shapes are smoothed a little differently
    assert (stamped[400:] < 200).any()
    assert (stamped[-2:] == 255).all()


def test_files_hold_no_date_and_no_version(tmp_path):
    paths = draw(tmp_path)
    pdf = paths["pdf"].read_bytes()
    assert pdf.startswith(b"%PDF-")
    for word in (b"CreationDate", b"Producer", b"Creator"):
        assert word not in pdf
    png = paths["png"].read_bytes()
    assert b"tEXt" not in png
    assert b"tIME" not in png
    assert b"/FontFile2" in pdf  # TrueType letters, which can be searched and edited
    assert b"/Type3" not in pdf
    assert read_csv(paths["csv"]) == [{"method": "full", "mean": "2", "std": ""}]


def test_equal_figures_are_equal_bytes_in_other_processes(tmp_path):
    here = {kind: path.read_bytes() for kind, path in draw(tmp_path / "here").items()}
    code = "import sys, pathlib; from tests.unit.test_plotting import draw; draw(pathlib.Path(sys.argv[1]))"
    environment = {**os.environ, "PYTHONHASHSEED": "123", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "there")], check=True, env=environment, cwd=tmp_path)
    for kind, content in here.items():
        assert (tmp_path / "there" / "figures" / f"nuggets_figure.{kind}").read_bytes() == content, kind


def test_nothing_is_written_when_a_figure_cannot_be_drawn(tmp_path, monkeypatch):
    figure, axes = plotting.new_figure("single", 2.0)
    axes.set_title(r"$\nosuchcommand$")
    paths = {kind: tmp_path / f"figure.{kind}" for kind in ("pdf", "png", "csv")}
    with pytest.raises(ValueError):
        plotting.save_figure(figure, [{"a": 1}], **paths)
    with pytest.raises(ValueError, match="no rows"):
        plotting.save_figure(plotting.new_figure()[0], [], **paths)
    assert list(tmp_path.iterdir()) == []
