"""How well a score separates good from bad: against hand-computed values, scikit-learn, and invariances."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from scripts.common.errors import UserError
from scripts.nuggets.count_scores import threshold_rows
from scripts.nuggets.golden_files import NO_TRUTH
from scripts.nuggets.measure_anchor_sizes import SizeSettings, size_rows
from scripts.nuggets.measure_quality import QualitySettings, quality_rows
from scripts.nuggets.measure_racing import RacingSettings, racing_rows
from scripts.nuggets.selection_quality import (
    auc,
    improved_anchors,
    oriented,
    precision_at_k,
    ranks,
    roc_points,
    spearman,
)

ORDERS = {"perplexity": "lowest", "ifd": "highest", "length": "highest"}
QUALITY = QualitySettings("tiny", "kmeans_4", 0, 0.5, ORDERS)
SIZES = SizeSettings("tiny", "kmeans_4", 0, [1, 2, 4], 3)
RACING = RacingSettings("tiny", "kmeans_4", 0, [0.5])
scored_rows = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=40).filter(
    lambda rows: len({good for _, good in rows}) == 2
)


def arrays(rows):
    return np.array([score for score, _ in rows], dtype=float), np.array([good for _, good in rows])


def test_ranks_share_ties():
    assert ranks(np.array([3.0, 1.0, 3.0, 2.0])).tolist() == [3.5, 1.0, 3.5, 2.0]


def test_auc_by_hand():
    # Good 3 and 1, bad 2 and 1: pairs (3,2) (3,1) won, (1,2) lost, (1,1) a tie: 2.5 of 4.
    area, error = auc(np.array([3.0, 1.0, 2.0, 1.0]), np.array([True, True, False, False]))
    assert area == 0.625
    # Placements: good 1.0, 0.25 (variance 0.28125); bad 0.5, 0.75 (variance 0.03125); each over 2 examples.
    assert error == pytest.approx(math.sqrt(0.28125 / 2 + 0.03125 / 2))


@given(scored_rows)
def test_auc_equals_scikit_learn(rows):
    scores, good = arrays(rows)
    assert auc(scores, good)[0] == pytest.approx(roc_auc_score(good, scores), abs=1e-12)


@given(scored_rows)
def test_auc_is_the_area_under_its_curve_and_knows_only_the_order(rows):
    scores, good = arrays(rows)
    false_rates, true_rates = roc_points(scores, good)
    assert (false_rates[0], true_rates[0], false_rates[-1], true_rates[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(true_rates, false_rates) == pytest.approx(auc(scores, good)[0])
    assert auc(np.exp(scores), good)[0] == pytest.approx(auc(scores, good)[0])
    assert auc(-scores, good)[0] == pytest.approx(1 - auc(scores, good)[0])
    assert auc(scores[::-1], good[::-1])[0] == pytest.approx(auc(scores, good)[0])


def test_curve_has_one_point_for_all_undefined_scores():
    false_rates, true_rates = roc_points(np.array([-np.inf, 1.0, -np.inf]), np.array([True, True, False]))
    assert false_rates.tolist() == [0, 0, 1]
    assert true_rates.tolist() == [0, 0.5, 1]


def test_auc_needs_both_sides():
    with pytest.raises(ValueError):
        auc(np.array([1.0, 2.0]), np.array([True, True]))


def test_precision_breaks_ties_by_place():
    scores, good = np.array([1.0, 2.0, 1.0, 0.0]), np.array([True, False, False, True])
    assert precision_at_k(scores, good, 1) == (0.0, 1)
    assert precision_at_k(scores, good, 2) == (0.5, 2)
    assert precision_at_k(scores, good, 4) == (0.5, 4)
    with pytest.raises(ValueError):
        precision_at_k(scores, good, 5)


def test_spearman_by_hand_and_of_a_constant():
    assert spearman(np.array([1.0, 2.0, 3.0]), np.array([10.0, 30.0, 20.0])) == pytest.approx(0.5)
    assert spearman(np.array([1.0, 2.0]), np.array([5.0, 5.0])) is None


def test_improved_anchors_are_strictly_better_and_have_an_answer():
    zero, one = np.array([-1.0, -2.0, 0.0]), np.array([[-1.0, -1.9, 0.5], [-0.5, -2.0, 0.0]])
    improved = improved_anchors(zero, one, np.array([3, 3, 0]))
    assert improved.tolist() == [[False, True, False], [True, False, False]]
    with pytest.raises(ValueError):
        improved_anchors(zero, np.array([[np.nan, 0.0, 0.0]]), np.array([3, 3, 1]))


def test_undefined_values_are_the_lowest_in_either_order():
    assert oriented([2.0, None, 1.0], "lowest").tolist() == [-2.0, -np.inf, -1.0]
    assert oriented([2.0, None, 1.0], "highest").tolist() == [2.0, -np.inf, 1.0]


def found(rows) -> dict[tuple[str, str, str], float]:
    return {(row["setting"], row["method"], row["metric"]): float(row["value"]) for row in rows if not row["reason"]}


def test_quality_follows_the_order_of_the_methods():
    truth = [
        {"good": True, "fault": ""},
        {"good": True, "fault": ""},
        {"good": False, "fault": "empty"},
        {"good": False, "fault": "wrong"},
    ]
    values = {
        "golden_score": [0.9, 0.8, 0.1, 0.85],
        "perplexity": [1.0, 2.0, 9.0, 8.0],
        "golden_score_random_4": [0.1, 0.2, 0.8, 0.9],
    }
    rows, points = quality_rows(QUALITY, values, truth)
    got = found(rows)
    assert got["all", "golden_score", "auc"] == 0.75
    assert got["fault_empty", "golden_score", "auc"] == 1.0
    assert got["fault_wrong", "golden_score", "auc"] == 0.5
    assert got["all", "perplexity", "auc"] == 1.0  # low perplexity is the better one
    assert got["all", "golden_score_random_4", "auc"] == 0.0
    assert got["k_known_good", "golden_score", "precision_at_k"] == 0.5
    assert {point["method"] for point in points} == set(values)
    assert len(got) == len(rows)


def test_quality_without_truth_says_why():
    rows, points = quality_rows(QUALITY, {"golden_score": [0.5]}, None)
    assert points == []
    assert [(row["experiment"], row["value"], row["reason"]) for row in rows] == [("quality/kmeans_4", "", NO_TRUTH)]


def test_quality_of_a_pool_of_good_ones_only_is_an_error():
    with pytest.raises(UserError, match="a pool needs good and bad ones"):
        quality_rows(QUALITY, {"golden_score": [0.5]}, [{"good": True, "fault": ""}])


def test_scores_are_counted_at_or_below_each_threshold():
    rows = threshold_rows("golden_scores/kmeans_4", "pool", "tiny", 0, [0.25, 0.5], [0.25, 0.5, 0.75, None])
    assert found(rows) == {("pool", "le_0.25", "n_examples"): 1, ("pool", "le_0.5", "n_examples"): 2}
    assert {row["n"] for row in rows if not row["reason"]} == {4}
    assert "1 examples have no score" in rows[-1]["reason"]


def test_all_anchors_agree_with_themselves_and_draws_repeat():
    improved = np.random.default_rng(0).random((20, 4)) < 0.5
    good = improved.mean(axis=1) > 0.5
    rows = size_rows(SIZES, improved, good)
    assert rows == size_rows(SIZES, improved, good)
    whole = [row for row in rows if row["setting"] == "n_anchors_4"]
    assert len(whole) == 2 * 3
    assert {float(row["value"]) for row in whole} == {1.0}


def test_more_anchors_than_there_are_is_an_error():
    with pytest.raises(UserError, match="figure_anchor_sizes.sizes: 5"):
        size_rows(SizeSettings("tiny", "kmeans_4", 0, [5], 1), np.ones((3, 4), dtype=bool), None)


def test_racing_saves_what_it_need_not_look_at_and_changes_nothing():
    # One block per anchor: a candidate that improves none of 4 is decided "not above 0.5" after two anchors.
    improved = np.array([[False] * 4, [True] * 4])
    got = found(racing_rows(RACING, improved, np.arange(1, 5)))
    assert got["threshold_0.5", "racing", "same_decisions_share"] == 1.0
    # Nobody: above 0.5 is out of reach after 2 of 4; everybody: 3 improved are 0.75 > 0.5. 5 of 8 evaluations.
    assert got["threshold_0.5", "racing", "saved_share"] == 0.375


def test_racing_replays_the_order_in_which_the_scorer_races(monkeypatch):
    from scripts.nuggets import measure_racing
    from scripts.nuggets.golden import GoldenScorer
    from tests.unit.nuggets_tiny import score_settings, tiny

    # The longer the query, the shorter the answer; the last anchor has no answer, which racing knows beforehand.
    rows = [
        {"id": str(n), "instruction": "w1 " * (3 * n + 1), "input": "", "output": "w2 " * (12 - n)} for n in range(12)
    ]
    scorer = GoldenScorer(tiny(), [*rows, {**rows[0], "id": "none", "output": ""}], score_settings(racing=0.5))
    replayed = []
    real = measure_racing.anchors_needed
    monkeypatch.setattr(measure_racing, "anchors_needed", lambda *given: replayed.append(given[2]) or real(*given))
    improved = np.ones((3, 13), dtype=bool) & (scorer.n_tokens > 0)
    rows = racing_rows(RACING, improved, scorer.n_tokens)
    assert [block.tolist() for block in replayed[0]] == [block.tolist() for block in scorer._blocks]
    # All 12 are improved: 7 of 13 are more than half, seen after blocks of 2, 2, 1, 1 and 1.
    assert found(rows)["threshold_0.5", "racing", "saved_share"] == pytest.approx(1 - 7 / 12)


def test_the_subset_of_the_precision_has_the_size_that_is_chosen():
    truth = [{"good": n < 2, "fault": "" if n < 2 else "empty"} for n in range(5)]
    rows, _ = quality_rows(QUALITY, {"golden_score": [0.9, 0.8, 0.7, 0.2, 0.1]}, truth)
    sizes = {row["setting"]: row["n"] for row in rows if row["metric"] == "precision_at_k"}
    assert sizes["k_subset_size"] == 2  # half of 5, by the rule of `scripts.common.sizes` as `select_subset` does


def precisions(values, truth, fraction, ifd_order) -> dict[tuple[str, str], tuple[float, int]]:
    """Return {(setting, score): (precision, over how many)} where subsets have that share of the pool."""
    settings = dataclasses.replace(QUALITY, subset_fraction=fraction, orders={**ORDERS, "ifd": ifd_order})
    rows, _ = quality_rows(settings, values, truth)
    return {
        (row["setting"], row["method"]): (float(row["value"]), row["n"])
        for row in rows
        if row["metric"] == "precision_at_k"
    }


def test_the_precision_of_ifd_is_that_of_its_subset():
    """An IFD of 1 or more is never chosen, so it is not ranked first either: 0.9 and 0.8 of 1.3, 0.9, 1.0, 0.8."""
    truth = [{"good": n in (1, 3), "fault": "" if n in (1, 3) else "empty"} for n in range(4)]
    values = {"ifd": [1.3, 0.9, 1.0, 0.8], "length": [1, 1, 1, 1]}
    got = precisions(values, truth, 0.75, "highest")
    assert got["k_known_good", "ifd"] == (1.0, 2)
    assert got["k_subset_size", "ifd"] == (1.0, 2)  # 3 are asked for, 2 can be chosen
    assert got["k_subset_size", "length"][1] == 3
    # Chosen from the lower end an IFD above 1 is merely the last one.
    assert precisions(values, truth, 0.75, "lowest")["k_subset_size", "ifd"] == (pytest.approx(2 / 3), 3)


def test_a_score_by_which_nothing_can_be_chosen_is_noted():
    truth = [{"good": n == 0, "fault": "" if n == 0 else "empty"} for n in range(2)]
    rows, _ = quality_rows(QUALITY, {"ifd": [1.3, None]}, truth)
    said = [row for row in rows if row["metric"] == "precision_at_k"]
    assert {(row["setting"], row["method"], row["value"], row["reason"]) for row in said} == {
        (setting, "ifd", "", "no example can be chosen by this score") for setting in ("k_known_good", "k_subset_size")
    }
    assert {row["experiment"] for row in said} == {"quality/kmeans_4"}
