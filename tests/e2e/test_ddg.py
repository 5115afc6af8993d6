"""DDG and DiLM in the default run: written texts with selection beside random real ones, in both evaluations."""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.common.files import read_csv, read_json, read_jsonl
from scripts.common.metrics import read_metrics
from scripts.common.spread import Spread, spread
from tests.workspace import environment, jobs_of

SEEDS = {"0", "1", "2"}


@pytest.fixture(scope="module")
def rows(results: Path) -> list[dict[str, str]]:
    """The papers' measured values."""
    found = [row for row in read_metrics(results / "metrics.csv") if row["paper"] == "ddg"]
    assert found, "config.yaml: papers lists ddg"
    return found


def values(rows: list[dict[str, str]], experiment: str, setting: str, method: str, model: str) -> list[float]:
    """Return one value a seed."""
    key = (experiment, setting, method, model)
    return [
        float(row["value"]) for row in rows if (row["experiment"], row["setting"], row["method"], row["model"]) == key
    ]


def difference(rows: list[dict[str, str]], setting: str, pair: str, model: str = "mini") -> Spread:
    """Return the paired difference of two methods over the seeds."""
    found = values(rows, "learners", setting, pair, model)
    assert len(found) == len(SEEDS)
    return spread(found)


@pytest.mark.parametrize("method", ["dilm", "ddg"])
def test_distilled_texts_with_selection_beat_random_ones(rows: list[dict[str, str]], method: str) -> None:
    """Learners on five texts a class: the 95 % interval of the paired differences excludes 0."""
    assert difference(rows, "triple/dpc_5", f"{method}-random").low > 0


def test_demonstrations_teach_the_language_model(rows: list[dict[str, str]]) -> None:
    nothing = values(rows, "in_context/longicl", "triple/round_0/labels", "zero_shot", "mini_causal")
    for method in ("random", "dilm", "ddg"):
        shown = values(rows, "in_context/longicl", "triple/round_5/labels", method, "mini_causal")
        assert statistics.mean(shown) > nothing[0] + 10


def test_rounds_of_many_classes_add_up(rows: list[dict[str, str]]) -> None:
    where = "in_context/longicl"
    found = [values(rows, where, f"intents/round_{n}/labels", "random", "mini_causal") for n in (1, 5)]
    assert statistics.mean(found[1]) > statistics.mean(found[0])


def test_accuracies_follow_from_the_kept_answers(results: Path) -> None:
    """Counting the kept answers again gives the CSV's accuracies."""
    folder = results / "ddg" / "in_context" / "triple" / "mini_causal"
    runs = read_csv(folder / "all.csv")
    kept = read_jsonl(folder / "all.jsonl")
    assert len(runs) == len(kept) > 20
    for run, one in zip(runs, kept):
        right = sum(a == b for a, b in zip(one["answers"], one["right"]))
        assert float(run["accuracy"]) == pytest.approx(right / len(one["right"]))


def test_written_texts_are_varied_and_none_is_empty(results: Path) -> None:
    for method in ("vanilla_lm", "dilm", "ddg"):
        report = read_json(results / "ddg" / "reports" / "triple" / f"{method}.json")
        assert {str(row["seed"]) for row in report["seeds"]} == SEEDS
        for path in (results / "ddg" / "sets" / "triple" / method).rglob("*.jsonl"):
            texts = [row["text"] for row in read_jsonl(path)]
            assert len(set(texts)) == len(texts)
            assert all(text.strip() for text in texts)


def test_more_queries_train_nothing_again(results: Path, tmp_path: Path) -> None:
    overlay = tmp_path / "more.yaml"
    overlay.write_text("ddg: {in_context: {n_queries: full}}\n", encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--dry-run", "--quiet", "rules"]
    done = subprocess.run(
        [*command, "--configfile", "config/tiers/mini.yaml", str(overlay), "--", "ddg_all"],
        cwd=results.parents[1],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    planned = jobs_of(done.stdout + done.stderr)
    assert "ddg_evaluate_in_context" in planned
    trained = {"ddg_train_generator", "ddg_match_gradients", "ddg_generate_sets", "ddg_train_learners"}
    assert not trained & planned
