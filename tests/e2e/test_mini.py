"""The default run: what a newcomer gets from `snakemake --cores all`, whole, offline, on two cores."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from scripts.common.files import read_csv
from scripts.common.metrics import read_metrics
from tests.browser import open_page
from tests.workspace import REPO_ROOT, artifact_rules

PUBLISHED = sorted((REPO_ROOT / "config" / "published").glob("*.csv"))


def values(results: Path, paper: str, experiment: str, metric: str, method: str, setting: str = "all") -> list[float]:
    """Return one metric's values over seeds."""
    return [
        float(row["value"])
        for row in read_metrics(results / "metrics.csv")
        if (row["paper"], row["experiment"], row["metric"]) == (paper, experiment, metric)
        and (row["method"], row["setting"]) == (method, setting)
    ]


@pytest.mark.parametrize("name", artifact_rules())
def test_every_artifact_is_there(results: Path, name: str) -> None:
    kind, suffixes = ("tables", ("csv", "md", "tex")) if "_table_" in name else ("figures", ("pdf", "png", "csv"))
    for suffix in suffixes:
        assert (results / kind / f"{name}.{suffix}").stat().st_size > 100
    assert f'id="{name.replace("_", "-")}"' in (results / "report.html").read_text(encoding="utf-8").replace("_", "-")


def test_the_overview_and_the_contact_sheet_show_measured_values(results: Path) -> None:
    rows = read_csv(results / "figures" / "report_overview.csv")
    papers = {"mend", "ddg", "step_by_step", "delift", "nuggets"}
    assert {row["paper"] for row in rows} == papers | {"head_to_head"}
    assert [row for row in rows if not row["mean"]] == []
    assert (results / "contact_sheet.png").stat().st_size > 100_000
    page = (results / "report.html").read_text(encoding="utf-8")
    assert page.count("Where this deviates from the paper") == len(papers)


@pytest.mark.parametrize("width", [390, 1400])
def test_the_report_in_a_browser(results: Path, width: int) -> None:
    with open_page(results / "report.html", width=width) as page:
        assert page.run("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
        assert page.run("document.images.length") == len(list((results / "figures").glob("*.png")))
        assert page.run("document.documentElement.scrollWidth <= window.innerWidth"), "the page scrolls sideways"
        links = page.run("[...document.querySelectorAll('a')].map(link => link.getAttribute('href'))")
        assert [link for link in links if link[0] != "#" and not (results / link).is_file()] == []
        inner = {link[1:] for link in links if link[0] == "#" and not link.startswith("#filter=")}
        assert inner <= set(page.run("[...document.querySelectorAll('[id]')].map(one => one.id)"))
        assert page.faults == []


def test_every_published_value_has_a_status(results: Path) -> None:
    rows = read_csv(results / "comparison.csv")
    assert len(rows) == sum(len(read_csv(path)) for path in PUBLISHED)
    assert {row["status"] for row in rows} == {"not_run"}
    assert all("mini" in row["note"] for row in rows)


def test_nuggets_golden_score_finds_the_good_examples(results: Path) -> None:
    (auc,) = values(results, "nuggets", "quality/kmeans_40", "auc", "golden_score")
    assert auc > 0.8


def test_nuggets_best_scored_examples_train_better_models(results: Path) -> None:
    experiments = {"top": "kmeans_40", "bottom": "kmeans_40", "random": "unscored", "full": "unscored"}
    match = {
        method: statistics.mean(values(results, "nuggets", f"alpaca_eval/{anchors}", "exact_match", method))
        for method, anchors in experiments.items()
    }
    assert match["top"] > match["random"] > match["bottom"]
    assert match["top"] > match["full"]
    assert len(values(results, "nuggets", "alpaca_eval/kmeans_40", "exact_match", "top")) >= 5


def test_old_task_files_were_converted(results: Path) -> None:
    assert len(list((results / "data" / "tasks").glob("*/*_16_*_train.jsonl"))) >= 12 * 5


def test_the_mini_world_has_learnt_what_the_papers_need(results: Path) -> None:
    def measured(metric: str, method: str, setting: str) -> float:
        labels = metric in ("in_context_accuracy", "guessing_rate")
        experiment = "labels_in_context" if labels else "authors_and_instructions"
        (value,) = values(results, "mini_world", experiment, metric, method, setting)
        return value

    assert measured("in_context_accuracy", "demos_0", "trained") < 0.10
    assert measured("in_context_accuracy", "demos_15", "trained") >= 0.95
    assert measured("in_context_accuracy", "demos_15", "held_out") >= 0.80
    assert measured("in_context_accuracy", "demos_100", "trained_20_classes") >= 0.90
    guessing = measured("guessing_rate", "guessing", "shuffled")
    assert abs(measured("in_context_accuracy", "demos_15", "shuffled") - guessing) < 0.10
    assert measured("author_auc", "golden", "all") >= 0.92
    assert measured("author_auc", "mean_gain", "all") >= 0.92
    assert measured("same_instruction_better", "demos_1", "all") >= 0.85
