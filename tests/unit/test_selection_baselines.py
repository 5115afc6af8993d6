"""Selection baselines by hand-computed values: SelectIT, LESS, DEFT-UCS, herding."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.common.errors import UserError
from scripts.selection.deft_ucs import deft_ucs, even_quotas
from scripts.selection.herding import herding
from scripts.selection.less import RandomSigns, influence_scores
from scripts.selection.selectit import released_selectit_scores, selectit_scores


def test_selectit_by_hand():
    sure, torn, flat = [0.0, 0.0, 0.0, 0.0, 1.0], [0.5, 0.0, 0.0, 0.0, 0.5], [0.2] * 5
    scores = selectit_scores(np.array([[sure, sure], [sure, torn], [flat, flat]]), alpha=0.2)
    assert scores[0] == pytest.approx(5.0)  # rating 5, lead 1, no disagreement
    token = 1 * (0.5 * 3 + 0.0) / 4  # the lower of the two likeliest ratings, its mean lead
    assert scores[1] == pytest.approx((5 + token) / 2 / (1 + 0.2 * (5 - token) / 2))
    assert scores[2] == 0.0


def test_selectit_disagreement_counts_against_an_example():
    low, high = [0.8, 0.1, 0.1], [0.1, 0.1, 0.8]
    values = np.array([[low, high], [low, high]])
    assert selectit_scores(values, 0.0)[0] > selectit_scores(values, 0.5)[0]
    with pytest.raises(UserError, match="add up to 1"):
        selectit_scores(values * 2, 0.2)
    with pytest.raises(UserError, match="found shape"):
        selectit_scores(values[0], 0.2)
    with pytest.raises(UserError, match="alpha"):
        selectit_scores(values, -1)


def test_less_takes_the_subtask_that_an_example_helps_most():
    train = np.array([[1.0, 0.0], [0.0, 2.0], [-1.0, 0.0], [0.0, 0.0]])
    validation = np.array([[2.0, 0.0], [4.0, 0.0], [0.0, 1.0]])
    scores = influence_scores([train, train], [validation, validation], ["a", "a", "b"], [0.5, 0.25])
    np.testing.assert_allclose(scores, [0.75, 0.75, 0.0, 0.0], atol=1e-12)
    only_a = influence_scores([train], [validation[:2]], ["a", "a"], [1.0])
    np.testing.assert_allclose(only_a, [1.0, 0.0, -1.0, 0.0], atol=1e-12)
    with pytest.raises(UserError, match="not finite"):
        influence_scores([train * np.nan], [validation], ["a", "a", "b"], [1.0])


def test_random_signs_keep_scalar_products_and_do_not_depend_on_the_batch():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(6, 9000)).astype(np.float32)
    project = RandomSigns(9000, 4000, seed=1)
    projected = project(vectors)
    np.testing.assert_allclose(projected @ projected.T, vectors @ vectors.T, atol=6 * 9000 / np.sqrt(4000))
    np.testing.assert_allclose(project(vectors[2:4]), projected[2:4], rtol=1e-4, atol=1e-3)
    assert np.abs(RandomSigns(9000, 4000, seed=2)(vectors) - projected).max() > 1


def test_deft_ucs_takes_near_and_far_members_of_each_cluster():
    offsets = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
    points = np.concatenate([np.stack([centre + offsets, 0 * offsets], axis=1) for centre in (0.0, 100.0)])
    chosen = deft_ucs(points, 8, clusters=2, near_share=0.5)
    # centres at 0.25 and 100.25: the two nearest of each and the two farthest
    assert chosen.tolist() == [0, 2, 3, 5, 6, 8, 9, 11]
    assert len(deft_ucs(points, 12, clusters=2, near_share=0.5)) == 12
    assert deft_ucs(points, 2, clusters=2, near_share=1.0).tolist() in ([2, 8], [2, 9], [3, 8], [3, 9])
    with pytest.raises(UserError, match="13 rows of 12"):
        deft_ucs(points, 13, clusters=2, near_share=0.5)
    with pytest.raises(UserError, match="near_share"):
        deft_ucs(points, 2, clusters=2, near_share=2.0)
    with pytest.raises(UserError, match="clusters"):
        deft_ucs(points, 2, clusters=20, near_share=0.5)


def test_even_quotas():
    assert even_quotas([5, 5, 5], 7) == [3, 2, 2]
    assert even_quotas([1, 9, 9], 11) == [1, 5, 5]
    assert even_quotas([2, 0, 3], 5) == [2, 0, 3]


def test_herding_keeps_the_mean():
    points = np.array([[0.0], [1.0], [2.0], [3.0], [10.0]])  # mean 3.2
    assert herding(points, 1) == [3]
    rng = np.random.default_rng(0)
    cloud = rng.normal(size=(50, 3)) + 5
    chosen = herding(cloud, 10)
    assert len(set(chosen)) == 10
    spread = [np.linalg.norm(cloud[rng.permutation(50)[:10]].mean(0) - cloud.mean(0)) for _ in range(20)]
    assert np.linalg.norm(cloud[chosen].mean(0) - cloud.mean(0)) < min(spread)
    assert sorted(herding(cloud, 50)) == list(range(50))
    for count in range(1, 4):  # each pick is the best one, by brute force
        taken = herding(cloud, count)
        best = min(
            (row for row in range(50) if row not in taken[:-1]),
            key=lambda row: np.linalg.norm(cloud[[*taken[:-1], row]].mean(0) - cloud.mean(0)),
        )
        assert taken[-1] == best


def test_selectit_as_released_by_hand():
    """Ten rows, one pass, two ratings: groups of five rows stand for the rows 0 and 1; a soft-max of probabilities."""
    sure, flat = [0.0, 1.0], [0.5, 0.5]
    probabilities = np.array([[sure]] * 5 + [[flat]] * 4 + [[sure]] + [[flat]] * 2)
    lead = (np.e - 1) / (np.e + 1)  # soft-max of (0, 1), likeliest minus the other
    token = 2 * lead
    second = np.array([0.0] * 4 + [token])  # flat: rating 1 with no lead
    expected = [token, second.mean() / (1 + 0.2 * second.std())]
    found = released_selectit_scores(probabilities, 0.2)
    assert found[:2] == pytest.approx(expected)
    assert found[2:] == [None] * 10  # 12 rows make two whole groups
    twice = released_selectit_scores(np.repeat(probabilities, 3, axis=1), 0.2)
    assert twice[:2] == pytest.approx(expected)  # the mean over equal passes
