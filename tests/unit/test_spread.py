"""Mean, sample standard deviation and t-interval over seeds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.common.errors import UserError
from scripts.common.spread import spread, spreads_by, t_critical


# Two-sided 95 % points as printed in statistical tables.
@pytest.mark.parametrize(
    "degrees, expected", [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (9, 2.262), (10, 2.228), (30, 2.042)]
)
def test_t_critical_agrees_with_printed_tables(degrees, expected):
    assert t_critical(degrees) == pytest.approx(expected, abs=5e-4)


def test_t_critical_tends_to_the_normal_distribution():
    assert t_critical(100_001) == pytest.approx(1.959964, abs=1e-4)
    assert t_critical(5, level=0.5) == pytest.approx(0.7267, abs=1e-4)


@pytest.mark.parametrize("degrees, level", [(0, 0.95), (3, 1.0), (3, 0.0)])
def test_t_critical_refuses_what_has_no_meaning(degrees, level):
    with pytest.raises(ValueError, match="degrees"):
        t_critical(degrees, level)


def test_spread_by_hand():
    result = spread([1.0, 2.0, 3.0, 4.0])
    assert result.mean == 2.5
    assert result.std == pytest.approx(math.sqrt(5 / 3))
    assert result.n == 4
    assert result.half_width == pytest.approx(3.182446 * math.sqrt(5 / 3) / 2, abs=1e-5)
    assert (result.low, result.high) == pytest.approx((2.5 - result.half_width, 2.5 + result.half_width))


def test_one_value_has_no_spread():
    result = spread([7])
    assert (result.mean, result.std, result.n, result.half_width) == (7.0, None, 1, None)
    assert result.low == result.high == 7.0


@pytest.mark.parametrize("values", [[], [1.0, float("nan")], [float("inf")]])
def test_spread_refuses_nothing_and_what_is_not_finite(values):
    with pytest.raises(ValueError):
        spread(values)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=8), st.randoms(use_true_random=False))
def test_spread_does_not_depend_on_order(values, random):
    shuffled = values.copy()
    random.shuffle(shuffled)
    assert spread(shuffled).mean == spread(values).mean
    assert spread(shuffled).std == pytest.approx(spread(values).std)


def rows(*cells):
    return [
        {"setting": setting, "method": method, "seed": seed, "value": value} for setting, method, seed, value in cells
    ]


def test_spreads_by_groups_over_seeds():
    groups = spreads_by(
        rows(("all", "full", "0", "1"), ("all", "base", "0", "5"), ("all", "full", "1", "3")), ("setting", "method")
    )
    assert list(groups) == [("all", "full"), ("all", "base")]
    assert (groups["all", "full"].mean, groups["all", "full"].n) == (2.0, 2)


def test_spreads_by_refuses_a_doubled_seed():
    with pytest.raises(UserError, match="two values for method=full, seed 0"):
        spreads_by(rows(("all", "full", "0", "1"), ("koala", "full", "0", "3")), ("method",))
