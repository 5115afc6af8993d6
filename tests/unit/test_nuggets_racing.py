"""Racing: the decision on a threshold equals the one on the whole score, with fewer anchors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.common.errors import UserError
from scripts.nuggets.racing import anchors_needed, decide, split_blocks
from tests.unit.nuggets_tiny import score_settings


def test_decides_as_soon_as_the_other_anchors_cannot_change_it() -> None:
    assert decide(6, 4, 10, 0.5) == "above"  # 6/10 already
    assert decide(5, 4, 10, 0.5) is None  # between 5/10 and 9/10
    assert decide(1, 4, 10, 0.5) == "not_above"  # 5/10 at most, which is not above
    assert decide(2, 4, 10, 0.5) is None  # 6/10 is possible


@pytest.mark.parametrize("threshold", [0, 0.0, 0.5, 1, 1.0])
def test_thresholds_in_range(threshold: float) -> None:
    assert score_settings(racing=threshold).racing == threshold


@pytest.mark.parametrize("threshold", [-0.1, 1.5, float("nan"), "0.5", True])
def test_thresholds_out_of_range_are_refused(threshold: object) -> None:
    with pytest.raises(UserError, match=r"^--settings.racing: "):
        score_settings(racing=threshold)


def test_blocks_hold_each_anchor_once_short_ones_first() -> None:
    blocks = split_blocks([5, 1, 9, 1, 7], n_blocks=3)
    assert [block.tolist() for block in blocks] == [[1, 3], [0, 4], [2]]
    assert [block.tolist() for block in split_blocks([2, 1], n_blocks=10)] == [[1], [0]]


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 25),
    st.integers(1, 12),
    st.sampled_from([0.0, 0.25, 0.3, 0.5, 0.85, 1.0]),
    st.floats(0, 1),
    st.integers(0, 1000),
)
def test_replay_agrees_with_the_whole_score_and_with_one_at_a_time(
    n_anchors: int, n_blocks: int, threshold: float, share: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    improved = rng.random((20, n_anchors)) < share
    blocks = split_blocks(rng.integers(1, 9, n_anchors), n_blocks)
    needed, above = anchors_needed(improved, threshold, blocks)
    np.testing.assert_array_equal(above, improved.sum(axis=1) / n_anchors > threshold)
    for row, n_needed, side in zip(improved, needed, above):
        seen, count, decision = 0, 0, None
        for block in blocks:
            seen, count = seen + len(block), count + int(row[block].sum())
            decision = decide(count, n_anchors - seen, n_anchors, threshold)
            if decision is not None:
                break
        assert seen == n_needed
        assert decision == ("above" if side else "not_above")
        assert (count / n_anchors > threshold) == side  # the lower bound lies on the right side


def test_a_certain_candidate_needs_few_anchors() -> None:
    improved = np.array([[True] * 100, [False] * 100])
    needed, above = anchors_needed(improved, 0.5, split_blocks([1] * 100))
    assert needed.tolist() == [60, 50]  # 51 of 100 are above, seen at the end of a block of ten; 50 misses are not
    assert above.tolist() == [True, False]
