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
def test_vectors_stand_for_demonstrations(results: Path, setting: str) -> None:
    """MEND lies above zero-shot in every seed, and nearer to in-context learning than zero-shot does."""
    mend, zero, icl = (scores(results, "table_2", name, setting) for name in ("mend", "zero_shot", "icl"))
    assert min(mend) > max(zero)
    assert statistics.mean(icl) - statistics.mean(mend) < statistics.mean(mend) - statistics.mean(zero)


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
        if (row["paper"], row["artifact"]) == ("mend", "figure_3")
    }
    for k in ("k_4", "k_8", "k_16"):
        assert costs["mend", k, "query_flops"] < costs["icl_cached", k, "query_flops"]
        assert costs["mend", k, "query_flops"] < costs["icl_uncached", k, "query_flops"] / 3
        assert costs["mend", k, "prepare_flops"] > costs["icl_cached", k, "prepare_flops"]
