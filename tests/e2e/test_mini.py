"""The default run: what a newcomer gets from `snakemake --cores all`, whole, offline, on two cores."""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.common.files import read_csv
from scripts.common.metrics import read_metrics
from tests.workspace import Workspace, environment

TABLES = ("1", "2", "3", "baselines", "selection_quality", "racing", "cases")
FIGURES = ("scores", "pairwise", "cases", "selection_quality", "anchor_sizes")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the plain command twice; the second run must find nothing to do."""
    workspace = Workspace(tmp_path_factory.mktemp("mini"))
    for attempt in ("first", "second"):
        done = subprocess.run(
            [sys.executable, "-m", "snakemake", "--cores", "2"],
            cwd=workspace.folder,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        assert ("Nothing to be done" in done.stdout + done.stderr) == (attempt == "second")
    return workspace.folder / "results" / "mini"


def values(results: Path, artifact: str, metric: str, method: str, setting: str | None = None) -> list[float]:
    """Return one metric's values over seeds."""
    return [
        float(row["value"])
        for row in read_metrics(results / "metrics.csv")
        if (row["artifact"], row["metric"], row["method"]) == (artifact, metric, method)
        and setting in (None, row["setting"])
    ]


def test_every_artifact_is_there(results: Path) -> None:
    for name in TABLES:
        for suffix in ("csv", "md", "tex"):
            assert (results / "tables" / f"nuggets_table_{name}.{suffix}").stat().st_size > 100
    for name in FIGURES:
        for suffix in ("pdf", "png", "csv"):
            assert (results / "figures" / f"nuggets_figure_{name}.{suffix}").stat().st_size > 100
    assert (results / "report.html").stat().st_size > 100_000


def test_every_published_value_has_a_status(results: Path) -> None:
    rows = read_csv(results / "comparison.csv")
    assert len(rows) == 126
    assert {row["status"] for row in rows} == {"not_run"}
    assert all("mini" in row["note"] for row in rows)


def test_the_golden_score_finds_the_good_examples(results: Path) -> None:
    (auc,) = values(results, "table_selection_quality", "auc", "golden_score", "all")
    assert auc > 0.8


def test_the_best_scored_examples_train_better_models(results: Path) -> None:
    match = {
        method: statistics.mean(values(results, "table_baselines", "exact_match", method, "all"))
        for method in ("top", "random", "bottom", "full")
    }
    assert match["top"] > match["random"] > match["bottom"]
    assert match["top"] > match["full"]
    assert len(values(results, "table_baselines", "exact_match", "top", "all")) >= 5


def test_old_task_files_were_converted(results: Path) -> None:
    assert len(list((results / "data" / "tasks").glob("*/*_16_*_train.jsonl"))) == 12 * 5
