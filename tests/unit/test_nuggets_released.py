"""Our scores beside released ones: which rows a list marks, what is drawn and set aside, how agreement is measured."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scripts.common.errors import UserError
from scripts.common.step_parser import checked
from scripts.nuggets.mark_pool import choose
from scripts.nuggets.released_agreement import (
    agreement,
    auc_within,
    end_share,
    length_bins,
    partial_spearman,
)
from scripts.nuggets.settings_choose import MarkSettings


def settings(**changes) -> MarkSettings:
    usual = {"form": "bad_rows", "limit": None, "even": False, "held_out": 0, "seed": 0}
    return checked(MarkSettings, {**usual, **changes})


def test_an_even_pool_has_as_many_good_rows_as_bad_ones_and_rows_aside_are_others():
    good = [place % 5 > 0 for place in range(50)]  # 10 bad
    marked = choose(good, settings(limit=16, even=True, held_out=20))
    assert sum(good[place] for place in marked.pool) == 8
    assert (len(marked.pool), len(marked.held_out)) == (16, 20)
    assert not set(marked.pool) & set(marked.held_out)
    assert list(marked.pool) == sorted(marked.pool)


def test_an_even_pool_takes_all_of_the_rarer_kind_and_still_has_its_size():
    good = [place >= 3 for place in range(20)]
    marked = choose(good, settings(limit=10, even=True))
    assert len(marked.pool) == 10
    assert {0, 1, 2} <= set(marked.pool)


def test_without_a_limit_all_rows_but_those_set_aside_are_the_pool():
    marked = choose([True, False] * 5, settings(held_out=3))
    assert sorted([*marked.pool, *marked.held_out]) == list(range(10))
    assert len(marked.held_out) == 3


def test_a_file_that_is_too_small_is_refused():
    with pytest.raises(UserError, match="the pool has 10 rows, too few for 8 and 3 set aside; lower nuggets.limit"):
        choose([True, False] * 5, settings(limit=8, held_out=3))


def test_with_length_fixed_a_score_that_follows_it_alone_has_nothing_left():
    length = np.arange(8.0)
    label = np.array([0, 0, 1, 0, 1, 0, 1, 1.0])
    assert partial_spearman(label, label, length) == pytest.approx(1.0)
    assert partial_spearman(length * 2, label, length) is None  # its rank correlation with the length is 1
    # by hand: rank correlations .8 (score, other), 0 (score, fixed) and -2 / sqrt(5 * 4) (other, fixed)
    score, other, fixed = (np.array(values) for values in ([1.0, 2, 3, 4], [1.0, 2, 4, 3], [2.0, 1, 1, 2]))
    assert partial_spearman(score, other, fixed) == pytest.approx(0.8 / math.sqrt(1 - 4 / 20))


def test_fifths_hold_equal_lengths_together():
    assert length_bins(np.array([5.0, 1, 2, 3, 4])).tolist() == [4, 0, 1, 2, 3]
    assert length_bins(np.array([1.0, 1, 1, 1, 9, 9])).tolist() == [1, 1, 1, 1, 4, 4]


def test_pairs_of_one_part_alone_are_compared():
    bins = np.array([0, 0, 1, 1, 2])
    good = np.array([True, False, True, False, True])
    assert auc_within(np.array([1.0, 0.0, 5.0, 6.0, 9.0]), good, bins) == 0.5
    assert auc_within(np.ones(5), good, bins) == 0.5
    assert auc_within(np.ones(2), np.array([True, True]), np.array([0, 1])) is None


def test_equal_scores_at_the_cut_count_in_part():
    kind = np.array([True, False, True, False, False])
    assert end_share(np.array([5.0, 4, 3, 2, 1]), kind, 0.4, True) == 0.5
    assert end_share(np.array([5.0, 3, 3, 3, 1]), kind, 0.4, True) == pytest.approx((1 + 1 / 3) / 2)
    assert end_share(np.array([5.0, 4, 3, 2, 1]), ~kind, 0.4, False) == 1.0


def test_every_value_has_an_interval_that_holds_it():
    rng = np.random.default_rng(0)
    length = rng.normal(size=60)
    good = length + rng.normal(size=60) > 0
    released = np.where(good, np.nan, length)
    scores = {"golden_score": length + rng.normal(size=60), "length": length}
    draws = [rng.integers(0, 60, 60) for _ in range(200)]
    found = agreement(scores, good, length, released, draws)
    assert found["released_score", "length", "spearman"].value == pytest.approx(1.0)
    assert ("equal_length", "length", "auc") not in found
    for interval in found.values():
        assert interval.low <= interval.value <= interval.high
        assert not math.isnan(interval.value)
