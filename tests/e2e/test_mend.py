"""What the default run shows of MEND: its effects in the mini tier, with their spread over the five seeds."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from scripts.common.metrics import read_metrics
from tests.e2e.test_mini import values

SETTINGS = ("trained", "held_out")


def scores(results: Path, method: str, setting: str, experiment: str = "scores") -> list[float]:
    """Return a method's scores in percent, one for each seed of the demonstrations."""
    found = values(results, "mend", experiment, "score_percent", method, setting)
    assert len(found) == 5
    return found


def mean(results: Path, method: str, setting: str, experiment: str = "scores") -> float:
    return statistics.mean(scores(results, method, setting, experiment))


@pytest.mark.parametrize("setting", SETTINGS)
def test_vectors_lie_above_zero_shot_with_every_seed(results: Path, setting: str) -> None:
    assert min(scores(results, "mend", setting)) > max(scores(results, "zero_shot", setting))


def test_vectors_stand_for_demonstrations_of_known_topics(results: Path) -> None:
    """There MEND is nearer to in-context learning than to zero-shot, and above prompt tuning with every seed."""
    mend, zero, icl = (mean(results, name, "trained") for name in ("mend", "zero_shot", "icl"))
    assert icl - mend < mend - zero
    tuned = scores(results, "prompt_tuning", "trained")
    assert min(scores(results, "mend", "trained")) > max(tuned)


def test_more_demonstrations_and_more_vectors_help(results: Path) -> None:
    by_k = [mean(results, "mend", f"trained/k_{n}", "numbers_of_demonstrations") for n in (4, 8)]
    by_k.append(mean(results, "mend", "trained"))  # 16 are the usual ones
    by_l = [mean(results, name, "trained") for name in ("vectors_2", "mend_short")]
    assert by_k == sorted(by_k)
    assert by_l == sorted(by_l)


@pytest.mark.parametrize("setting", SETTINGS)
def test_stage_one_is_what_it_stands_on(results: Path, setting: str) -> None:
    assert mean(results, "mend_short", setting) > mean(results, "no_pretraining", setting)


@pytest.mark.parametrize("method", ["icl", "mend"])
def test_wrong_labels_mislead(results: Path, method: str) -> None:
    random, wrong = (
        mean(results, method, f"trained/{fault}", "perturbed_demonstrations")
        for fault in ("random_label", "wrong_label")
    )
    assert mean(results, method, "trained") > random > wrong


def test_a_query_costs_less_behind_vectors(results: Path) -> None:
    costs = {
        (row["method"], row["setting"], row["metric"]): float(row["value"])
        for row in read_metrics(results / "metrics.csv")
        if (row["paper"], row["experiment"]) == ("mend", "cost")
    }
    for k in ("k_4", "k_8", "k_16"):
        assert costs["mend", k, "query_flops"] < costs["icl_cached", k, "query_flops"]
        assert costs["mend", k, "query_flops"] < costs["icl_uncached", k, "query_flops"] / 3
        assert costs["mend", k, "prepare_flops"] > costs["icl_cached", k, "prepare_flops"]
