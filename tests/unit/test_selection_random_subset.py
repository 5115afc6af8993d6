"""Random subsets: distinct, uniform, given by the generator alone."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.common.errors import UserError
from scripts.common.seeding import generator
from scripts.selection.random_subset import random_subset


def test_distinct_rows_in_ascending_order() -> None:
    chosen = random_subset(50, 20, generator(0, "test"))
    assert len(set(chosen.tolist())) == 20
    assert chosen.tolist() == sorted(chosen.tolist())
    assert 0 <= chosen.min() <= chosen.max() < 50


def test_same_generator_same_rows_other_seed_other_rows() -> None:
    first, again, other = (random_subset(50, 20, generator(seed, "test")).tolist() for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_every_row_is_equally_likely() -> None:
    rng = np.random.default_rng(0)
    counts = np.zeros(10)
    for _ in range(2000):
        counts[random_subset(10, 3, rng)] += 1
    # Each count is binomial(2000, 0.3): mean 600, standard deviation 20.5.
    assert np.abs(counts - 600).max() < 100


@pytest.mark.parametrize("n", [-1, 6])
def test_refuses_sizes_outside_the_pool(n: int) -> None:
    with pytest.raises(UserError, match="of 5"):
        random_subset(5, n, generator(0, "test"))


def test_nothing_and_everything() -> None:
    assert random_subset(5, 0, generator(0, "test")).tolist() == []
    assert random_subset(5, 5, generator(0, "test")).tolist() == [0, 1, 2, 3, 4]
