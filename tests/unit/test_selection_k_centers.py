"""Greedy k-center: equal to a brute-force search, ties to the lowest index, within twice the best radius."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.common.errors import UserError
from scripts.selection.distances import BLOCK_ROWS, squared_distances
from scripts.selection.k_centers import k_centers


def brute_force(points: np.ndarray, k: int, first: int) -> list[int]:
    """Farthest-first by looking at every pair in every round."""
    chosen = [first]
    while len(chosen) < k:
        best_row, best_distance = -1, -1.0
        for row in range(len(points)):
            if row in chosen:
                continue
            nearest = min(float(((points[row] - points[other]) ** 2).sum()) for other in chosen)
            if nearest > best_distance:
                best_row, best_distance = row, nearest
        chosen.append(best_row)
    return chosen


def radius(points: np.ndarray, centres: list[int]) -> float:
    """Largest distance of a point to its nearest centre."""
    return max(min(float(np.linalg.norm(point - points[c])) for c in centres) for point in points)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 10_000))
def test_equals_brute_force_also_with_ties(n: int, k: int, seed: int) -> None:
    k = min(k, n)
    # Small whole numbers: distances are exact and ties are frequent.
    points = np.random.default_rng(seed).integers(0, 3, size=(n, 2)).astype(np.float32)
    first = seed % n
    assert k_centers(points, k, first=first) == brute_force(points, k, first)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 3), st.integers(0, 1000))
def test_radius_is_at_most_twice_the_best(k: int, seed: int) -> None:
    points = np.random.default_rng(seed).normal(size=(8, 2)).astype(np.float32)
    best = min(radius(points, list(centres)) for centres in itertools.combinations(range(8), k))
    assert radius(points, k_centers(points, k)) <= 2 * best + 1e-5


def test_starts_at_the_row_nearest_to_the_mean() -> None:
    points = np.array([[0.0], [10.0], [4.0], [6.0]], dtype=np.float32)  # mean 5: rows 2 and 3 are equally near
    assert k_centers(points, 2) == [2, 1]


def test_coinciding_points_are_never_chosen_twice() -> None:
    points = np.array([[1.0, 1.0]] * 3, dtype=np.float32)
    assert sorted(k_centers(points, 3)) == [0, 1, 2]


def test_distances_do_not_depend_on_the_blocks() -> None:
    points = np.random.default_rng(0).normal(size=(BLOCK_ROWS + 3, 2)).astype(np.float32)
    expected = ((points - points[-1]) ** 2).sum(axis=1)
    np.testing.assert_allclose(squared_distances(points, points[-1]), expected, rtol=1e-6)


def test_refuses_more_centres_than_points() -> None:
    with pytest.raises(UserError, match="asked for 3 rows of 2"):
        k_centers(np.zeros((2, 1), np.float32), 3)
