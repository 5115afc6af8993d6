"""The figures over all papers: the main claims side by side, and the contact sheet."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from matplotlib.image import imread

from scripts.common import figures, plotting
from scripts.common.errors import UserError
from scripts.common.files import read_csv, write_csv, write_json, write_text
from scripts.common.metrics import metric_row, write_metrics
from scripts.report import plot_claims, plot_contact_sheet, plot_overview
from scripts.report.claims import CLAIM_COLUMNS
from scripts.report.plot_contact_sheet import GAP, NAME_HEIGHT, PAGE_WIDTH, Thumbnail, arrange

CLAIM = {
    "experiment": "table_1",
    "model": "small",
    "metric": "score",
    "about": "half of the data",
    "axis": "score (%)",
    "decimals": 1,
    "values": [{"method": "full", "setting": "all"}, {"method": "top", "setting": "all"}],
}


def overview(folder: Path, claims: dict, papers: tuple[str, ...] = ("mend", "nuggets")) -> list[dict[str, str]]:
    """Draw the overview of two measured seeds of one paper and return its rows."""
    rows = [metric_row("nuggets", "table_1", "all", "small", "full", seed, "score", 40 + seed, 9) for seed in (0, 2)]
    rows.append(metric_row("nuggets", "table_1", "all", "other", "top", 0, "score", 99, 9))
    write_metrics(folder / "metrics.csv", rows)
    outputs = [word for kind in ("pdf", "png", "csv") for word in (f"--{kind}-out", str(folder / f"overview.{kind}"))]
    given = ["--metrics", str(folder / "metrics.csv"), "--claims", json.dumps(claims), "--tier", "mini"]
    plot_overview.main([*given, "--papers", *papers, *outputs])
    return read_csv(folder / "overview.csv")


def test_overview_shows_what_was_measured_and_says_what_was_not(tmp_path):
    rows = overview(tmp_path, {"nuggets": CLAIM, "mend": CLAIM, "ddg": CLAIM})
    assert [(row["paper"], row["method"]) for row in rows] == [
        (paper, method) for paper in ("mend", "nuggets") for method in ("full", "top")
    ]
    assert [row["mean"] for row in rows] == ["", "", "41", ""]  # another model's value is not this claim's
    assert rows[2]["n"] == "2"
    assert all(row["note"] for row in rows if not row["mean"])
    before = (tmp_path / "overview.png").read_bytes()
    overview(tmp_path, {"nuggets": CLAIM, "mend": CLAIM})
    assert (tmp_path / "overview.png").read_bytes() == before


def test_overview_headings_begin_where_the_names_of_the_methods_do(tmp_path):
    figure, grid = plotting.new_figure("double", 2.0, 1, 2, squeeze=False)
    for axes, methods in zip(grid[0], (["mend", "vanilla_icl"], ["top", "full"])):
        claim = plot_overview.Claim(**{**CLAIM, "values": [{"method": name, "setting": "all"} for name in methods]})
        plot_overview.draw_panel(
            axes, "a_paper", claim, [plot_overview.Missing("not run"), plotting.Spread(1, 0.1, 2, 0.5)]
        )
    plot_overview.align_headings(figure, grid)
    figure.canvas.draw()
    for axes in grid[0]:
        names = min(label.get_window_extent().x0 for label in axes.get_yticklabels())
        headings = [text for text in axes.get_children() if text.get_gid() == plot_overview.HEADING]
        assert len(headings) == 2
        assert all(text.get_window_extent().x0 == pytest.approx(names, abs=2) for text in headings)


def test_overview_marks_the_papers_own_methods(tmp_path):
    _, axes = plotting.new_figure("page", 2.0)
    methods = ["random", "gt_0.8", "top"]
    claim = plot_overview.Claim(**{**CLAIM, "values": [{"method": name, "setting": "all"} for name in methods]})
    plot_overview.draw_panel(axes, "nuggets", claim, [plotting.Spread(1, 0.1, 2, 0.5)] * 3)
    assert [label.get_fontweight() for label in axes.get_yticklabels()] == ["normal", "bold", "bold"]
    assert len(axes.patches) == 2  # the grey behind them
    assert not plot_overview.is_own("mend", "top")
    assert len([tick for tick in axes.get_xticks() if axes.get_xlim()[0] <= tick <= axes.get_xlim()[1]]) >= 3


def test_the_head_to_head_takes_its_levels_from_the_paper_whose_data_it_uses(tmp_path):
    def row(paper: str, method: str, value: float) -> dict:
        return metric_row(paper, "table_1", "all", "small", method, 0, "score", value, 9)

    rows = [row("delift", "full", 7), row("delift", "random", 1), row("head_to_head", "random", 2)]
    methods = [{"method": name, "setting": "all"} for name in ("full", "random", "top")]
    claim = plot_overview.Claim(**{**CLAIM, "values": methods})
    found = [cell for _, cell in plot_overview.claim_rows("head_to_head", claim, rows)]
    assert [cell.mean for cell in found[:2]] == [7, 2]  # its own value comes first
    assert isinstance(found[2], plot_overview.Missing)
    (first, *_) = [cell for _, cell in plot_overview.claim_rows("nuggets", claim, rows)]
    assert isinstance(first, plot_overview.Missing)  # a paper shows its own values only


def claims_of(tier: str, name: str, verdict: str, numbers: tuple = (1.0, 0.5, 1.5), published: str = "2.0") -> dict:
    difference, low, high = numbers
    text = (
        "A claim of so many words that one line of the figure cannot hold them all, however small its letters may be."
    )
    row = (
        name,
        "nuggets",
        "Table 1",
        text,
        tier,
        "score_percent",
        published,
        difference,
        low,
        high,
        5,
        "",
        verdict,
        "",
    )
    return dict(zip(CLAIM_COLUMNS, row))


def test_the_claims_of_several_tiers_side_by_side(tmp_path, monkeypatch):
    files = []
    for tier, verdict in (("mini", "holds"), ("laptop", "contrary"), ("sample", "not told apart")):
        rows = [claims_of(tier, "one", verdict), claims_of(tier, "two", "not run", ("", "", ""), "")]
        rows.append({**claims_of(tier, "three", verdict, (-4e9, "", ""), ""), "metric": "query_flops"})
        files.append(tmp_path / f"{tier}.csv")
        write_csv(files[-1], [*rows, {**rows[0], "paper": "mend"}], CLAIM_COLUMNS)
    drawn = []
    write = figures.save_figure
    monkeypatch.setattr(figures, "save_figure", lambda f, *given, **paths: (drawn.append(f), write(f, *given, **paths)))
    outputs = [word for kind in ("pdf", "png", "csv") for word in (f"--{kind}-out", str(tmp_path / f"c.{kind}"))]
    plot_claims.main(["--claims", *map(str, files), "--paper", "nuggets", "--tier", "mini", *outputs])
    assert len(read_csv(tmp_path / "c.csv")) == 9
    (axes,) = drawn[0].axes
    told = [text.get_text() for text in axes.texts]
    assert told.count("printed: +2.0 points") == 1
    assert "mini: +1.0 [0.5, 1.5] points, holds" in told
    assert "laptop: −4.00 billion operations, contrary" in told
    assert told.count("mini: not run") == 1
    assert "Table\N{NO-BREAK SPACE}1" in "".join(told)
    (legend,) = drawn[0].legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == [
        *("holds", "not told apart", "contrary", "printed"),
        *("mini tier", "laptop tier", "sample tier"),
    ]
    assert {line.get_marker() for line in axes.lines if len(line.get_xdata()) == 1} >= {"o", "s", "^", "D"}


def test_a_paper_without_claims_says_so(tmp_path):
    write_csv(tmp_path / "claims.csv", [], CLAIM_COLUMNS)
    outputs = [word for kind in ("pdf", "png", "csv") for word in (f"--{kind}-out", str(tmp_path / f"c.{kind}"))]
    plot_claims.main(["--claims", str(tmp_path / "claims.csv"), "--paper", "sixth", "--tier", "mini", *outputs])
    (row,) = read_csv(tmp_path / "c.csv")
    assert row["reason"] == "no claim of this paper stands in config/published/claims.yaml"


@pytest.mark.parametrize(
    ("claims", "message"),
    [({"ddg": CLAIM}, "none is about a paper"), ({"mend": {**CLAIM, "metrik": 1}}, "metrik")],
)
def test_overview_names_faults_in_the_claims(tmp_path, claims, message):
    with pytest.raises(UserError, match=message):
        overview(tmp_path, claims)


def test_figures_of_the_sheet_stand_in_lines_that_fit_the_page():
    figures = [Thumbnail(None, str(number), "", width, 1.0) for number, width in enumerate((5.0, 5.0, 5.0, 1.0))]
    placed, end = arrange(figures, 2.0)
    assert [(one.left, one.top) for one in placed] == [
        (GAP, 2.0),
        (pytest.approx(5 + 2 * GAP), 2.0),
        (GAP, pytest.approx(3 + NAME_HEIGHT + GAP)),
        (pytest.approx(5 + 2 * GAP), pytest.approx(3 + NAME_HEIGHT + GAP)),
    ]
    assert end == pytest.approx(4 + 2 * NAME_HEIGHT + GAP)
    assert all(one.left + one.thumbnail.width <= PAGE_WIDTH - GAP for one in placed)


def sheet(folder: Path, entries: list[dict]) -> Path:
    write_json(folder / "config.json", {"tier": "mini"})
    out = folder / "sheet.png"
    given = ["--tier", "mini", "--config", str(folder / "config.json"), "--sheet-out", str(out)]
    plot_contact_sheet.main([*given, "--artifacts", json.dumps(entries)])
    return out


def entry(folder: Path, paper: str, name: str, kind: str = "figure") -> dict:
    suffixes = ("csv", "png") if kind == "figure" else ("csv", "md")
    files = [str(folder / f"{paper}_{name}.{suffix}") for suffix in suffixes]
    return {"paper": paper, "artifact": name, "kind": kind, "files": files, "caption": str(folder / "caption.rst")}


def test_the_sheet_shows_every_figure_once(tmp_path):
    write_text(tmp_path / "caption.rst", "**A lead.** The rest.\n")
    colours = {"nuggets_figure_scores": (1.0, 0.0, 0.0), "mend_figure_3": (0.0, 0.0, 1.0)}
    for name, colour in colours.items():
        figure, axes = plotting.new_figure("single", 1.0)
        axes.set_axis_off()
        figure.set_facecolor(colour)
        figure.savefig(tmp_path / f"{name}.png", dpi=plotting.PNG_DPI, facecolor=colour)
    figures = [entry(tmp_path, "nuggets", "figure_scores"), entry(tmp_path, "mend", "figure_3")]
    pixels = imread(sheet(tmp_path, [*figures, entry(tmp_path, "mend", "table_2", "table")]))[..., :3]
    for colour in colours.values():
        share = (abs(pixels - colour) < 0.02).all(axis=-1).sum() / pixels[..., 0].size
        expected = 3.35 * 1.0 * plot_contact_sheet.SCALE**2 * plotting.PNG_DPI**2 / pixels[..., 0].size
        assert share == pytest.approx(expected, rel=0.05)


def test_the_sheet_names_a_missing_figure_and_an_empty_list(tmp_path):
    write_text(tmp_path / "caption.rst", "**A lead.** The rest.\n")
    with pytest.raises(UserError, match="mend_figure_3.png: no such file; run snakemake --cores all mend_figure_3"):
        sheet(tmp_path, [entry(tmp_path, "mend", "figure_3")])
    with pytest.raises(UserError, match="no figure among them"):
        sheet(tmp_path, [entry(tmp_path, "mend", "table_2", "table")])
