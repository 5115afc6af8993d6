"""What the default run shows of MEND: its effects in the mini tier, with their spread over the five seeds."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from scripts.common.metrics import read_metrics
from tests.e2e.test_mini import values

SETTINGS = ("trained", "held_out")


def scores(results: Path, artifact: str, method: str, setting: str) -> list[float]:
    """Return a method's scores in percent, one for each seed of the demonstrations."""
    found = values(results, "mend", artifact, "score_percent", method, setting)
    assert len(found) == 5
    return found


def mean(results: Path, artifact: str, method: str, setting: str) -> float:
    return statistics.mean(scores(results, artifact, method, setting))


@pytest.mark.parametrize("setting", SETTINGS)
def test_vectors_lie_above_zero_shot_with_every_seed(results: Path, setting: str) -> None:
    assert min(scores(results, "table_2", "mend", setting)) > max(scores(results, "table_2", "zero_shot", setting))


def test_vectors_stand_for_demonstrations_of_known_topics(results: Path) -> None:
    """There MEND is nearer to in-context learning than to zero-shot, and above prompt tuning with every seed."""
    mend, zero, icl = (mean(results, "table_2", name, "trained") for name in ("mend", "zero_shot", "icl"))
    assert icl - mend < mend - zero
    tuned = scores(results, "table_2", "prompt_tuning", "trained")
    assert min(scores(results, "table_2", "mend", "trained")) > max(tuned)


def test_more_demonstrations_and_more_vectors_help(results: Path) -> None:
    by_k, by_l = (
        [mean(results, "figure_4", "mend", f"trained/{name}_{n}") for n in sizes]
        for name, sizes in (("k", (4, 8, 16)), ("vectors", (2, 8)))
    )
    assert by_k == sorted(by_k)
    assert by_l == sorted(by_l)


@pytest.mark.parametrize("setting", SETTINGS)
def test_stage_one_is_what_it_stands_on(results: Path, setting: str) -> None:
    assert mean(results, "table_4", "mend_short", setting) > mean(results, "table_4", "no_pretraining", setting)


@pytest.mark.parametrize("method", ["icl", "mend"])
def test_wrong_labels_mislead(results: Path, method: str) -> None:
    right, random, wrong = (
        mean(results, "table_3", method, f"trained/{fault}") for fault in ("none", "random_label", "wrong_label")
    )
    assert right > random > wrong


def test_a_query_costs_less_behind_vectors(results: Path) -> None:
    costs = {
        (row["method"], row["setting"], row["metric"]): float(row["value"])
        for row in read_metrics(results / "metrics.csv")
        if (row["paper"], row["experiment"]) == ("mend", "figure_3")
    }
    for k in ("k_4", "k_8", "k_16"):
        assert costs["mend", k, "query_flops"] < costs["icl_cached", k, "query_flops"]
        assert costs["mend", k, "query_flops"] < costs["icl_uncached", k, "query_flops"] / 3
        assert costs["mend", k, "prepare_flops"] > costs["icl_cached", k, "prepare_flops"]
