"""Which kinds of jobs each table and figure takes in the paper tier: the dry run against a table to check by eye."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.report.job_graph import read_fields
from tests.workspace import Workspace, environment, listed_artifacts

SCORING = {"select_anchors", "score_candidates", "collect_scores"}
EMBEDDING = {"embed_prompts"}
TRAINING = {"select_subset", "train_model"}
JUDGING = {"generate_answers", "judge_answers"}
NUGGETS = {
    "table_1": SCORING | EMBEDDING | TRAINING | JUDGING,
    "table_2": SCORING | EMBEDDING | TRAINING | JUDGING,
    "table_3": SCORING | EMBEDDING | TRAINING | JUDGING,
    "table_baselines": SCORING | EMBEDDING | {"score_difficulty"} | TRAINING | JUDGING,
    "table_selection_quality": SCORING | EMBEDDING | {"score_difficulty", "measure_quality"},
    "table_racing": SCORING | EMBEDDING | {"measure_racing"},
    "table_released": {"count_released"},
    "table_cases": SCORING | EMBEDDING,
    "figure_scores": SCORING | EMBEDDING | {"count_scores"},
    "figure_pairwise": SCORING | EMBEDDING | TRAINING | JUDGING,
    "figure_cases": SCORING | EMBEDDING | {"table_cases"},
    "figure_selection_quality": SCORING | EMBEDDING | {"score_difficulty", "measure_quality"} | TRAINING | JUDGING,
    "figure_anchor_sizes": SCORING | EMBEDDING | {"measure_anchor_sizes"},
}
"""Kinds of NUGGETS' jobs; embeddings are those of the K-means anchors and of k-center."""
ONE_ANCHOR_SET = ("table_racing", "table_cases", "figure_scores", "figure_cases", "figure_anchor_sizes")


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """Return every job of NUGGETS in the paper tier, as a dry run prints it."""
    workspace = Workspace(tmp_path_factory.mktemp("plans"))
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run", "--forceall"]
    done = subprocess.run(
        [*command, "--configfile", "config/tiers/paper.yaml", "--", "nuggets_all"],
        cwd=workspace.folder, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return read_fields(done.stdout + done.stderr)


def behind(jobs: list[dict[str, str]], artifact: str) -> list[dict[str, str]]:
    """Return the jobs that an artifact takes, its own left out."""
    makers = {file: job for job in jobs for file in job.get("output", "").split(", ") if file}
    (own,) = [job for job in jobs if job["rule"] == f"nuggets_{artifact}"]
    found: dict[int, dict[str, str]] = {}
    waiting = own["input"].split(", ")
    while waiting:
        job = makers.get(waiting.pop())
        if job is not None and id(job) not in found:
            found[id(job)] = job
            waiting += job.get("input", "").split(", ")
    return list(found.values())


def test_the_table_names_every_artifact() -> None:
    assert list(NUGGETS) == [artifact.name for artifact in listed_artifacts()["nuggets"]]


@pytest.mark.parametrize("artifact", NUGGETS)
def test_an_artifact_takes_the_jobs_of_what_it_shows(jobs: list[dict[str, str]], artifact: str) -> None:
    own = {job["rule"].removeprefix("nuggets_") for job in behind(jobs, artifact) if job["rule"].startswith("nuggets_")}
    assert own == NUGGETS[artifact]


@pytest.mark.parametrize("artifact", ONE_ANCHOR_SET)
def test_one_anchor_set_is_scored_for_what_shows_one(jobs: list[dict[str, str]], artifact: str) -> None:
    found = behind(jobs, artifact)
    anchors = {Path(job["output"].split(", ")[0]).parent.name for job in found if job["rule"].endswith("candidates")}
    assert anchors == {"kmeans_100"}
    assert not any("benchmark" in job["rule"] or "mt_bench" in str(job) for job in found)


def test_a_table_of_one_benchmark_asks_no_other(jobs: list[dict[str, str]]) -> None:
    assert not any("alpaca_eval" in job.get("output", "") for job in behind(jobs, "table_2"))
    assert not any("mt_bench" in job.get("output", "") for job in behind(jobs, "table_1"))
    trained = [job for job in behind(jobs, "table_2") if job["rule"] == "nuggets_train_model"]
    assert len(trained) == 5  # six rows, of which one is the model as it is
