"""docs/artifacts.md: the jobs behind a file, their minutes, the page and its thumbnails."""

from __future__ import annotations

import json
import shutil

import pytest
from PIL import Image

from scripts.common import plotting
from scripts.common.files import write_csv, write_json, write_text
from scripts.common.tables import Column, Missing, write_table
from scripts.report import thumbnails, write_gallery
from scripts.report.compare_published import COMPARISON_COLUMNS
from scripts.report.job_graph import PlannedJob, jobs_behind, read_jobs, seconds_behind, untimed_behind

DRY_RUN = """Building DAG of jobs...
localrule report:
    input: t.csv, t.md
    reason: Forced execution

rule p_table_1:
    input: scripts/x.py, m.csv
    output: t.csv, t.md
    log: l.log
    benchmark: {folder}/table.tsv
    resources: tmpdir=/tmp
rule p_train:
    input: d.jsonl
    output: m.csv
    benchmark: {folder}/train.tsv
rule p_other:
    output: o.csv
    benchmark: {folder}/other.tsv
"""
BENCHMARK = "s\th:m:s\tmax_rss\n{}\t0:01:00\t80\n"


def test_jobs_of_a_dry_run_and_those_behind_a_file(tmp_path):
    jobs = read_jobs(DRY_RUN.format(folder=tmp_path))
    assert [len(job.outputs) for job in jobs] == [0, 2, 1, 1]
    assert jobs[1] == PlannedJob(("scripts/x.py", "m.csv"), ("t.csv", "t.md"), f"{tmp_path}/table.tsv")
    assert set(jobs_behind(["t.csv", "t.md"], jobs)) == {jobs[1], jobs[2]}
    for name, seconds in (("table", 30), ("train", 60), ("other", 1000)):
        write_text(tmp_path / f"{name}.tsv", BENCHMARK.format(seconds))
    assert seconds_behind(["t.csv", "t.md"], jobs) == 90
    (tmp_path / "train.tsv").unlink()  # not timed
    assert seconds_behind(["t.csv"], jobs) == 30
    assert untimed_behind(["t.csv"], jobs) == 1
    assert untimed_behind(["o.csv"], jobs) == 0


@pytest.fixture
def run(tmp_path):
    """An invented run with a figure and a table without values; return the gallery's command line."""
    figure, axes = plotting.new_figure("double", 1.6)
    axes.plot([0, 1], [0, 1])
    files = {kind: tmp_path / f"nuggets_figure_scores.{kind}" for kind in ("pdf", "png", "csv")}
    plotting.save_figure(figure, [{"x": 0}], **files)
    table = {kind: tmp_path / f"delift_table_2.{kind}" for kind in ("csv", "md", "tex")}
    write_table(
        [{"subset": "all", "value": Missing("Not run: one pool only.")}],
        [Column("subset", "Subset"), Column("value", "Value", "number")],
        **table,
        caption="Nothing",
        tier="mini",
    )
    write_text(tmp_path / "caption.rst", "**What it shows.** More.\n")
    write_csv(tmp_path / "comparison.csv", [], COMPARISON_COLUMNS)
    write_json(tmp_path / "config.json", {"tier": "mini"})
    write_text(tmp_path / "plot.tsv", BENCHMARK.format(90))
    jobs = [{"inputs": [], "outputs": [str(files["png"])], "benchmark": str(tmp_path / "plot.tsv")}]
    write_json(tmp_path / "jobs.json", jobs)
    claims = tmp_path / "report_claims_nuggets.png"
    shutil.copy(files["png"], claims)
    artifacts = [
        {"paper": paper, "artifact": name, "kind": kind, "files": [str(path) for path in paths.values()]}
        | {"caption": str(tmp_path / "caption.rst")}
        for paper, name, kind, paths in (
            ("nuggets", "figure_scores", "figure", files),
            ("delift", "table_2", "table", table),
        )
    ]
    return [
        *("--artifacts", json.dumps(artifacts), "--comparison", str(tmp_path / "comparison.csv")),
        *("--config", str(tmp_path / "config.json"), "--jobs", str(tmp_path / "jobs.json")),
        *(
            "--claim-figures",
            str(claims),
            "--overview",
            str(files["png"]),
            "--gallery-out",
            str(tmp_path / "docs" / "artifacts.md"),
        ),
        *("--figures-out", str(tmp_path / "docs" / "figures")),
    ]


def test_page_and_thumbnails(tmp_path, run):
    write_gallery.main(run)
    page = (tmp_path / "docs" / "artifacts.md").read_text()
    figure = "![Figure: scores](figures/nuggets_figure_scores.png)"
    assert (
        f"| **Figure: scores** What it shows | {figure} | `nuggets_figure_scores` | 1.5 | no published value |" in page
    )
    assert "| **Table 2** What it shows |  | `delift_table_2` | 0.0 | not run: one pool only |" in page
    assert "replicates nothing" in page
    assert "![The main claim of each paper, as measured](figures/overview.png)" in page
    folder = tmp_path / "docs" / "figures"
    assert sorted(path.name for path in folder.iterdir()) == [
        *("claims_nuggets.png", "nuggets_figure_scores.png", "overview.png")
    ]
    full = size_of(tmp_path / "nuggets_figure_scores.png")[0]
    assert size_of(folder / "nuggets_figure_scores.png")[0] == round(full * write_gallery.THUMBNAIL_SCALE)
    assert size_of(folder / "overview.png")[0] == full


def test_small_pictures_keep_the_colours_of_the_methods(tmp_path):
    colours = ["#332288", "#0072b2", "#009e73", "#cc79a7", "#d55e00", "#e69f00"]
    figure, axes = plotting.new_figure("double", 2.0)
    axes.bar(range(len(colours)), 1.0, color=colours)
    axes.set_title("names with grey edges")
    paths = {kind: tmp_path / f"x.{kind}" for kind in ("pdf", "png", "csv")}
    plotting.save_figure(figure, [{"x": 0}], **paths)
    (tmp_path / "small").mkdir()
    thumbnails.write_thumbnails({"x": (str(paths["png"]), 0.5)}, tmp_path / "small")
    with Image.open(tmp_path / "small" / "x.png") as image:
        found = {colour for _, colour in image.convert("RGB").getcolors(1 << 20)}
    assert {tuple(bytes.fromhex(colour[1:])) for colour in colours} <= found
    assert (tmp_path / "small" / "x.png").stat().st_size < paths["png"].stat().st_size


def test_minutes_that_were_not_all_recorded_are_marked(tmp_path, run):
    (tmp_path / "plot.tsv").unlink()
    write_gallery.main(run)
    page = (tmp_path / "docs" / "artifacts.md").read_text()
    assert "| `nuggets_figure_scores` | ≥ 0.0 |" in page
    assert "| `delift_table_2` | 0.0 |" in page
    assert "(≥: the time of some was not recorded)" in page


def size_of(path):
    with Image.open(path) as image:
        return image.size
