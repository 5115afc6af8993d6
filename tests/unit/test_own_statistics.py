"""Paired differences: worked out by hand, held against what is known, and right as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from scripts.own.statistics import (
    Difference,
    paired_difference,
    quantile,
    rounded_up,
    rows_needed,
    trainings_needed,
    verdict,
)


def test_one_training_is_the_paired_t_test() -> None:
    rng = np.random.default_rng(1)
    ours, theirs = rng.normal(0.1, 1, (1, 30)), rng.normal(0, 1, (1, 30))
    found = paired_difference(ours, theirs)
    known = stats.ttest_rel(ours[0], theirs[0]).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((known.low, known.high))


def test_by_hand() -> None:
    """Differences [[1, 3], [2, 6]]: mean 3, MS of rows 9, of trainings 4, of the rest 1; (9 + 4 - 1) / 4 = 3."""
    found = paired_difference(np.array([[1.0, 3.0], [2.0, 6.0]]), np.zeros((2, 2)))
    assert found.mean == 3
    df = 12**2 / (81 + 16 + 1)
    assert found.high - found.mean == pytest.approx(stats.t.ppf(0.975, df) * np.sqrt(3))
    assert (found.row_variance, found.training_variance, found.rest_variance) == (4, 1.5, 1)
    assert found.variance(2, 2) == pytest.approx(3)


def test_a_choice_trained_once_stands_beside_every_training_of_the_other() -> None:
    theirs = np.array([[0.0, 1.0, 2.0], [1.0, 1.0, 0.0]])
    once = np.array([[1.0, 2.0, 2.0]])
    same = paired_difference(np.repeat(once, 2, axis=0), theirs)
    assert paired_difference(once, theirs) == same
    assert paired_difference(theirs, once).mean == -same.mean


@pytest.mark.parametrize("rows,trainings,rest", [(0.3, 0.0, 0.1), (0.05, 0.1, 0.1), (0.3, 0.1, 0.3), (0.0, 0.0, 0.2)])
def test_the_interval_holds_the_truth_as_often_as_it_says(rows: float, trainings: float, rest: float) -> None:
    """95 % or somewhat more, whatever the differences vary by."""
    rng, n, k, held = np.random.default_rng(7), 40, 3, 0
    for _ in range(600):
        found = paired_difference(
            0.2 + rng.normal(0, rows, n)[None] + rng.normal(0, trainings, k)[:, None] + rng.normal(0, rest, (k, n)),
            np.zeros((k, n)),
        )
        held += found.low <= 0.2 <= found.high
    assert held / 600 > 0.925


def test_swapped_sides_give_the_mirror_image() -> None:
    rng = np.random.default_rng(3)
    ours, theirs = rng.normal(size=(3, 12)), rng.normal(size=(3, 12))
    found, mirrored = paired_difference(ours, theirs), paired_difference(theirs, ours)
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low))


@pytest.mark.parametrize("ours,theirs", [((3, 4), (3, 5)), ((3, 1), (3, 1)), ((2, 4), (3, 4))])
def test_what_cannot_be_paired_is_refused(ours: tuple[int, int], theirs: tuple[int, int]) -> None:
    with pytest.raises(ValueError):
        paired_difference(np.zeros(ours), np.zeros(theirs))


def test_numbers_are_rounded_up_to_one_digit() -> None:
    assert [rounded_up(n) for n in (7, 10, 41, 341, 400, 9001)] == [7, 10, 50, 400, 400, 10000]


def difference(mean: float, reach: float, *variances: float) -> Difference:
    return Difference(mean, mean - reach, mean + reach, 40, 3, *variances)


def test_how_many_rows_would_do() -> None:
    """By hand: (1.96 / 0.05)^2 x 0.25 = 384 rows where only rows vary; more trainings are no help there."""
    found = difference(0.05, 0.16, 0.25, 0.0, 0.0)
    assert rows_needed(found) == 400
    assert trainings_needed(found) is None
    reach = quantile(float("inf")) * found.variance(400, 3) ** 0.5
    assert reach <= 0.05


def test_where_trainings_differ_more_rows_are_no_help() -> None:
    """By hand: (1.96 / 0.05)^2 x 0.01 = 15.4 trainings where only trainings vary."""
    found = difference(0.05, 0.2, 0.0, 0.01, 0.0)
    assert rows_needed(found) is None
    assert trainings_needed(found) == 16


def test_verdicts() -> None:
    better, worse = difference(0.03, 0.02, 0, 0, 0), difference(-0.03, 0.02, 0, 0, 0)
    assert verdict("nuggets", "random", better, "nats") == "nuggets beats random by 0.03 nats [0.01, 0.05]"
    assert verdict("ifd", "random", worse, "nats") == "ifd is worse than random by 0.03 nats [0.01, 0.05]"
    assert verdict("delift", "random", difference(0.05, 0.16, 0.25, 0, 0), "nats") == (
        "delift cannot be told from random with 40 test rows; some 400 would do if the difference is what it seems"
        " (+0.05 nats)"
    )
    assert "some 16 trainings of each would (--seeds 16)" in verdict(
        "a", "b", difference(0.05, 0.2, 0, 0.01, 0), "nats"
    )
    assert "too small for any sensible number" in verdict("a", "b", difference(0.0001, 0.2, 1, 0.01, 0), "nats")
