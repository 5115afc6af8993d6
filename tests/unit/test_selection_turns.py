"""Choosing in turns: by hand, and what must hold for any scores."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.common.errors import UserError
from scripts.selection.turns import in_turns


def test_each_question_takes_the_best_that_is_left() -> None:
    scores = np.array([[0.9, 0.8, 0.1, 0.0], [0.9, 0.2, 0.3, 0.0]])
    assert in_turns(scores, 4) == [0, 2, 1, 3]  # the second question's best is gone when its turn comes
    assert in_turns(scores[::-1], 4) == [0, 1, 2, 3]


def test_one_question_ranks_and_ties_go_to_the_lowest() -> None:
    assert in_turns(np.array([[1.0, 3.0, 3.0, 2.0]]), 3) == [1, 2, 3]
    assert in_turns(np.zeros((3, 4)), 4) == [0, 1, 2, 3]


def test_choices_are_nested_never_repeat_and_know_no_scale() -> None:
    scores = np.random.default_rng(0).normal(size=(5, 30))
    whole = in_turns(scores, 30)
    assert sorted(whole) == list(range(30))
    for n in (0, 1, 7, 29):
        assert in_turns(scores, n) == whole[:n]
        assert in_turns(scores * 7 - 2, n) == whole[:n]


def test_what_cannot_be_chosen_is_refused() -> None:
    with pytest.raises(UserError, match="5 of 4 candidates; give a number from 0 to 4"):
        in_turns(np.zeros((1, 4)), 5)
    with pytest.raises(UserError, match="no row says what is asked for"):
        in_turns(np.zeros((0, 4)), 1)
    with pytest.raises(UserError, match="not finite"):
        in_turns(np.array([[np.nan, 1.0]]), 1)
