"""What a run would do is counted from the rows there are, not from the sizes of the papers' data sets."""

from __future__ import annotations

import pytest

from scripts.own.models import OwnModel
from scripts.own.planning import Work, costs_of, texts_read, tokens_of
from scripts.own.settings import Machine, Task
from scripts.report.estimating import Job
from scripts.report.job_work import counted_seconds, read_costs
from tests.workspace import REPO_ROOT

COSTS = read_costs(REPO_ROOT / "config" / "costs.yaml")
MODEL = OwnModel("own_model", None, "causal", width=576)


def work(n_goal: int, *ways: str) -> Work:
    return Work(Task(120, n_goal, ways, 12, [0, 1, 2], MODEL, None, None, Machine(2, False, 4000)), 50, 30, 3.0)


def command(flags: str) -> str:
    return f"python -m step --model results/downloads/models/own_model {flags}"


def test_tokens_of_a_row() -> None:
    assert tokens_of([{"instruction": "a" * 10, "input": "", "output": "b" * 6}]) == 4
    assert tokens_of([{"instruction": "a", "input": "", "output": "b"}]) == 1


@pytest.mark.parametrize(
    "rule,flags,texts",
    [
        ("nuggets_score_candidates", "--start 0 --stop 120", 120 * 20),
        ("delift_score_utility", "--start 0 --stop 120", 120 * 20),
        ("nuggets_score_difficulty", "", 240),
        ("delift_score_baselines", "", 120 * 5 + 140 * 4),
        ("head_to_head_evaluate_subsets", "--seeds 0 1 2", 3 * 12 * 3 + 3 * 30),
        ("nuggets_select_subset", "", 0),
    ],
)
def test_texts_for_the_model(rule: str, flags: str, texts: int) -> None:
    costs = costs_of(COSTS, work(20, "golden_score", "selectit", "less"))
    assert texts_read(Job(rule, 0, command(flags)), costs) == texts


def test_without_a_goal_the_pool_stands_for_it() -> None:
    costs = costs_of(COSTS, work(0, "golden_score", "utility"))
    assert texts_read(Job("nuggets_score_candidates", 0, command("--start 0 --stop 120")), costs) == 120 * 24
    assert texts_read(Job("delift_score_utility", 0, command("--start 0 --stop 120")), costs) == 120 * 120


def test_seconds_follow_by_hand() -> None:
    """120 x 20 texts of 50 tokens, 2 operations for each of 1e8 weights, at 1e11 a second."""
    costs = costs_of(COSTS, work(20, "golden_score"))
    job = command("--start 0 --stop 120")
    seconds = counted_seconds("nuggets_score_candidates", job, costs, {"own_model": 1e8}, "cpu")
    assert seconds == pytest.approx(2400 * 50 * 2e8 / 1e11)
