"""Shares of a pool, sizes in percent, and what they are called."""

from __future__ import annotations

import pytest

from scripts.common.sizes import named_percent, percent_name, percent_of, subset_size


@pytest.mark.parametrize("n_pool", [3, 7, 40, 150, 999, 3000, 52_002, 999_999])
def test_a_percent_for_any_number_of_rows(n_pool):
    for n_rows in {1, 2, 3, n_pool // 3, n_pool // 7 + 1, n_pool - 1, n_pool}:
        if n_rows:
            percent = percent_of(n_rows, n_pool)
            assert subset_size(n_pool, percent / 100) == n_rows
            assert named_percent(percent_name(percent)) == percent
            name = percent_name(100 * (percent / 100))
            assert subset_size(n_pool, named_percent(name) / 100) == n_rows


def test_whole_percents_keep_their_names():
    assert [percent_name(p) for p in (30, 2.5, 100, 5)] == ["percent_30", "percent_2_5", "percent_100", "percent_5"]
    assert [named_percent(f"percent_{p}") for p in ("30", "2_5", "0")] == [30, 2.5, 0]
    assert isinstance(named_percent("percent_30"), int)
    assert isinstance(percent_of(30, 100), int)
