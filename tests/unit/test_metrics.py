"""The long schema of measured values."""

from __future__ import annotations

import random

import pytest

from scripts.common.errors import UserError
from scripts.common.metrics import METRIC_COLUMNS, PUBLISHED_COLUMNS, metric_row, read_metrics, write_metrics


def row(seed: int, value: float = 0.125) -> dict:
    return metric_row("nuggets", "table_1", "koala", "mini", "top", seed, "win_rate_percent", value, 80)


def test_a_row_has_the_columns_and_nine_digits():
    assert list(row(1)) == list(METRIC_COLUMNS)
    assert row(1, 2 / 3)["value"] == "0.666666667"
    assert row(1, 1e-12)["value"] == "1e-12"


def test_published_values_have_the_same_keys_but_no_seed():
    assert set(METRIC_COLUMNS) - set(PUBLISHED_COLUMNS) == {"seed", "n"}
    assert set(PUBLISHED_COLUMNS) - set(METRIC_COLUMNS) == {"std", "source", "origin"}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_value_that_is_no_number_is_refused(value):
    with pytest.raises(UserError, match=r"^nuggets/table_1/koala/top: metric 'win_rate_percent' is (nan|inf|-inf);"):
        row(1, value)


def test_order_of_rows_does_not_change_the_file(tmp_path):
    rows = [row(seed) for seed in range(12)]
    write_metrics(tmp_path / "1.csv", rows)
    random.Random(0).shuffle(rows)
    write_metrics(tmp_path / "2.csv", rows)
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()
    assert {r["seed"] for r in read_metrics(tmp_path / "1.csv")} == {str(seed) for seed in range(12)}


def test_a_file_of_another_form_is_refused(tmp_path):
    (tmp_path / "x.csv").write_text("paper,value\nnuggets,1\n")
    with pytest.raises(UserError, match=r"column 'artifact' is missing; found paper, value$"):
        read_metrics(tmp_path / "x.csv")
