"""Splits and sub-samples: the released code's very rows, and the sizes of Table 3."""

from __future__ import annotations

import math

import pytest

from scripts.common.errors import UserError
from scripts.step_by_step.splits import hold_out_indices, make_splits, subsample_indices, svamp_indices


def test_svamp_is_split_as_released():
    train, test = svamp_indices(1000)
    assert train[:5] == [993, 859, 298, 553, 672]
    assert test[:5] == [152, 528, 696, 621, 461]
    assert sorted(train + test) == list(range(1000))


@pytest.mark.parametrize(
    ("n", "n_train", "n_valid", "first"),
    [(800, 720, 80, [759, 697, 2, 105]), (9741, 8766, 975, [4032, 2432, 4722, 1506])],
    ids=["svamp", "cqa"],
)
def test_a_tenth_is_held_out_as_released(n, n_train, n_valid, first):
    train, valid = hold_out_indices(n)
    assert (len(train), len(valid)) == (n_train, n_valid)  # Table 3
    assert valid[:4] == first
    assert sorted(train + valid) == list(range(n))


@pytest.mark.parametrize(("n", "kept"), [(800, 100), (9741, 1217), (16946, 2118)], ids=["svamp", "cqa", "anli1"])
def test_an_eighth_keeps_the_released_numbers_of_rows(n, kept):
    assert len(subsample_indices(n, 0.125, 0)) == kept


@pytest.mark.parametrize("fraction", [0.001, 0.1, 0.125, 0.2, 0.25, 0.5, 0.75, 0.8, 0.9])
def test_sub_samples(fraction):
    n = 5000
    first, again, other = (subsample_indices(n, fraction, run) for run in (0, 0, 1))
    assert len(first) == n - math.ceil((1 - fraction) * n)
    assert first == again
    assert sorted(first) != sorted(other)
    assert len(set(first)) == len(first)
    assert subsample_indices(n, 1.0, 3) == list(range(n))


def rows(n, name=""):
    return [{"input": f"{name}{i}"} for i in range(n)]


def test_the_sub_sample_comes_before_the_hold_out():
    parts = make_splits(rows(800), None, rows(7, "t"), fraction=0.125, run=2)
    assert [len(part) for part in parts] == [90, 10, 7]
    chosen = {str(i) for i in subsample_indices(800, 0.125, 2)}
    assert {row["input"] for row in parts.train + parts.valid} == chosen


def test_own_validation_rows_cost_no_training_rows():
    parts = make_splits(rows(100), rows(5, "v"), rows(7, "t"), fraction=0.5, run=0)
    assert [len(part) for part in parts] == [50, 5, 7]
    assert parts.valid == rows(5, "v")
    assert make_splits(rows(9), rows(5, "v"), rows(7, "t"), fraction=1, run=0).train == rows(9)


@pytest.mark.parametrize("fraction", [0, -0.5, 1.5])
def test_shares_outside_the_range_are_refused(fraction):
    with pytest.raises(UserError, match=r"subsample: .* is not above 0 and up to 1"):
        subsample_indices(10, fraction, 0)


def test_too_few_rows_are_refused():
    with pytest.raises(UserError, match="train: 1 rows cannot be parted into 0 and 1"):
        make_splits(rows(1), None, rows(1), fraction=1, run=0)


def test_released_svamp_split_is_this_permutation(shared):
    import json

    folder = shared / "data/step_by_step/svamp"
    whole = json.loads((folder / "SVAMP.json").read_text(encoding="utf-8"))
    for name, indices in zip(("train", "test"), svamp_indices(1000)):
        released = [json.loads(line) for line in (folder / f"svamp_{name}.json").read_text("utf-8").splitlines()]
        assert [row["label"] for row in released] == [whole[i]["Equation"] for i in indices]
        assert [row["input"] for row in released] == [f"{whole[i]['Body']}\n{whole[i]['Question']}" for i in indices]
