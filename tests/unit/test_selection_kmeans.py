"""K-means representatives: distinct real points near the centres, whatever the order of the rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.common.errors import UserError
from scripts.selection.kmeans import _nearest_distinct, kmeans_representatives


def clusters(n_clusters: int, per_cluster: int, seed: int = 0) -> np.ndarray:
    """Points in tight groups around far-apart centres; group g holds rows g * per_cluster onwards."""
    rng = np.random.default_rng(seed)
    centres = 100.0 * np.arange(n_clusters)[:, None] * np.ones((1, 3))
    noise = rng.normal(size=(n_clusters, per_cluster, 3))
    return (centres[:, None] + noise).reshape(-1, 3).astype(np.float32)


def test_takes_the_example_nearest_to_the_middle_of_each_group() -> None:
    points = clusters(6, 9)
    chosen = kmeans_representatives(points, 6)
    assert [row // 9 for row in chosen] == [0, 1, 2, 3, 4, 5]
    for row in chosen:
        group = points[row // 9 * 9 : row // 9 * 9 + 9]
        distances = ((group - group.mean(axis=0)) ** 2).sum(axis=1)
        assert distances[row % 9] == distances.min()


def test_representatives_do_not_depend_on_the_order_of_rows() -> None:
    points = clusters(5, 8)
    order = np.random.default_rng(1).permutation(len(points))
    chosen = kmeans_representatives(points, 5)
    shuffled = kmeans_representatives(points[order], 5)
    assert sorted(order[shuffled]) == list(chosen)


def test_a_taken_example_gives_way_to_the_next_nearest() -> None:
    points = np.array([[0.0], [1.0], [5.0]], dtype=np.float32)
    centres = np.array([[0.2], [0.1], [0.0]])
    assert list(_nearest_distinct(points, centres)) == [0, 1, 2]


def test_equal_distances_go_to_the_lower_index() -> None:
    points = np.array([[-1.0], [1.0]], dtype=np.float32)
    assert list(_nearest_distinct(points, np.array([[0.0]]))) == [0]


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 8), st.integers(0, 3), st.integers(0, 1000))
def test_distinct_points_when_there_are_enough(k: int, extra: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    distinct = rng.permutation(40)[: k + extra, None].astype(np.float32)
    points = np.concatenate([distinct, distinct, distinct])  # each point three times
    chosen = kmeans_representatives(points, k)
    assert len({float(points[row, 0]) for row in chosen}) == k
    assert (chosen < len(distinct)).all()  # the first row of each point


def test_refuses_more_clusters_than_distinct_points() -> None:
    with pytest.raises(UserError, match="only 2 distinct points for 3 clusters"):
        kmeans_representatives(np.array([[0.0], [1.0], [1.0], [0.0]], dtype=np.float32), 3)


@pytest.mark.parametrize(
    "points, k, message",
    [
        (np.zeros((3, 2), np.float32), 4, "asked for 4 rows of 3"),
        (np.zeros((3, 2), np.float32), 0, "at least 1"),
        (np.full((3, 2), np.nan, np.float32), 1, "not finite"),
        (np.zeros(3, np.float32), 1, "matrix"),
    ],
)
def test_refuses_what_it_cannot_cluster(points: np.ndarray, k: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        kmeans_representatives(points, k)
