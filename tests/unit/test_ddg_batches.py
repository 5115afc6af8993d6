"""Shuffled batches, representative teachers, diverse mini-batches; the selections behind them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from scripts.common.errors import UserError
from scripts.ddg.batches import Shuffled, Walk, diverse_batches, plain_batches, representative_rows
from scripts.selection.cluster_members import cluster, cluster_members
from scripts.selection.herding import herding


def blobs(sizes: list[int], seed: int = 0, width: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = 100 * np.eye(max(len(sizes), width))[: len(sizes)]
    return np.concatenate([centre + rng.normal(size=(n, centres.shape[1])) for n, centre in zip(sizes, centres)])


def test_each_epoch_holds_every_row_once():
    batches = Shuffled(12, 4, 0, "x")
    epochs = [sorted(itertools.chain.from_iterable(batches.rows(e * 3 + i) for i in range(3))) for e in range(3)]
    assert epochs == [list(range(12))] * 3
    assert batches.rows(1) == Shuffled(12, 4, 0, "x").rows(1)  # whatever was asked before
    assert batches.rows(1) != batches.rows(4)


def test_fewer_rows_than_the_batch_give_all_of_them():
    assert sorted(Shuffled(3, 64, 0, "x").rows(5)) == [0, 1, 2]


def test_step_t_of_the_representative_teacher_is_version_t_modulo():
    rows = [100 + i for i in range(60)]
    points = np.random.default_rng(0).normal(size=(60, 4))
    found = representative_rows(points, rows, 5, 3, 1)
    versions = [[rows[i] for i in cluster_members(points, 5, seed=v)] for v in range(3)]
    assert found == versions[0] + versions[1] + versions[2]
    walk = Walk(found, 5)
    assert [walk.rows(step) for step in range(7)] == [versions[step % 3] for step in range(7)]
    halves = Walk(found, 10)  # larger steps tile the versions
    assert halves.rows(1) == versions[2] + versions[0]


def test_a_batch_takes_one_row_of_every_cluster_in_turn():
    """As DiLM's loader: row i of each cluster, then row i + 1; batch b begins where batch b - 1 ended."""
    points, clusters = blobs([4, 3]), 2
    labels = cluster(points, clusters, seed=0)
    first, second = (np.flatnonzero(labels == number).tolist() for number in range(clusters))
    found = diverse_batches(points, 2, 4, clusters, 0, 1)
    assert found[0] == [first[0], second[0], first[1], second[1]]
    assert found[1] == [first[2], second[2], first[3 % len(first)], second[3 % len(second)]]


def test_members_are_distinct_and_nearest_to_their_cluster_mean():
    points = np.random.default_rng(1).normal(size=(50, 4)).astype(np.float32)
    chosen, labels = cluster_members(points, 6, seed=2), cluster(points, 6, seed=2)
    assert sorted(labels[chosen]) == list(range(6))
    for row in chosen:
        own = np.flatnonzero(labels == labels[row])
        mean = points[own].mean(axis=0)
        assert row == own[np.argmin(((points[own] - mean) ** 2).sum(axis=1))]


def test_separated_clusters_give_their_medoids_for_any_seed_and_shift():
    points = blobs([7, 9, 5])
    wanted = sorted(
        start + int(np.argmin(((points[start : start + n] - points[start : start + n].mean(axis=0)) ** 2).sum(axis=1)))
        for start, n in ((0, 7), (7, 9), (16, 5))
    )
    turn = np.linalg.qr(np.random.default_rng(4).normal(size=(3, 3)))[0]
    for seed in range(3):
        for moved in (points, points + 17, points @ turn):
            assert sorted(cluster_members(moved, 3, seed=seed)) == wanted


def test_all_points_are_members_when_all_are_asked_for():
    points = blobs([3, 2])
    assert sorted(cluster_members(points, 5, seed=0)) == [0, 1, 2, 3, 4]


def test_equal_points_count_once():
    points = np.repeat(blobs([1, 1, 1]), 4, axis=0)
    assert sorted(cluster_members(points, 3, seed=0)) == [0, 4, 8]
    with pytest.raises(UserError, match="only 3 distinct points for 4 clusters"):
        cluster_members(points, 4, seed=0)


def test_diverse_batches_take_equally_from_each_cluster_and_begin_again():
    points = blobs([2, 9, 5])
    batches = diverse_batches(points, 4, 6, 3, seed=0, threads=1)
    group = [0] * 2 + [1] * 9 + [2] * 5
    for batch in batches:
        assert sorted(group[row] for row in batch) == [0, 0, 1, 1, 2, 2]
    small = [row for batch in batches for row in batch if group[row] == 0]
    assert small == [0, 1] * 4
    large = [row for batch in batches for row in batch if group[row] == 1]
    assert large == [2, 3, 4, 5, 6, 7, 8, 9]


def test_diverse_batches_stay_full_where_texts_coincide():
    points = np.repeat(blobs([1, 1]), 10, axis=0)
    batches = diverse_batches(points, 3, 8, 4, seed=0, threads=1)
    assert [len(batch) for batch in batches] == [8, 8, 8]
    assert all(sum(row < 10 for row in batch) == 4 for batch in batches)


def test_plain_batches_take_texts_as_drawn():
    assert plain_batches(2, 3) == [[0, 1, 2], [3, 4, 5]]


def test_herding_begins_nearest_to_the_mean_and_ends_with_all():
    points = np.random.default_rng(3).normal(size=(9, 4))
    nearest = int(np.argmin(((points - points.mean(axis=0)) ** 2).sum(axis=1)))
    assert herding(points, 1) == [nearest]
    assert sorted(herding(points, 9)) == list(range(9))
    assert herding(points, 9)[:4] == herding(points, 4)


@pytest.mark.parametrize("seed", range(4))
def test_herding_is_the_greedy_choice_by_brute_force(seed):
    points = np.random.default_rng(seed).normal(size=(8, 3))
    chosen: list[int] = []
    for step in range(5):
        free = [row for row in range(8) if row not in chosen]
        sums = [points[[*chosen, row]].sum(axis=0) - (step + 1) * points.mean(axis=0) for row in free]
        chosen.append(free[int(np.argmin([(one**2).sum() for one in sums]))])
    assert herding(points, 5) == chosen
    turn = np.linalg.qr(np.random.default_rng(9).normal(size=(3, 3)))[0]
    assert herding(points @ turn, 5) == chosen
    assert herding(points + 3, 5) == chosen


def test_herding_refuses_too_many_and_values_not_finite():
    with pytest.raises(UserError, match="asked for 4 rows of 3"):
        herding(np.eye(3), 4)
    with pytest.raises(UserError, match="not finite"):
        herding(np.array([[0.0], [np.nan]]), 1)
