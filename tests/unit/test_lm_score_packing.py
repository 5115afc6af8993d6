"""Rows, groups and common beginnings: every token is laid out once, in its place."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from scripts.lm.attention import causal_mask
from scripts.lm.packing import Continuation, common_beginning, make_groups, pack, split_by_budget

CPU = torch.device("cpu")
IDS = st.lists(st.integers(0, 3), max_size=12).map(tuple)
CONTINUATIONS = st.lists(st.builds(Continuation, IDS, IDS), max_size=12)


@given(items=CONTINUATIONS, budget=st.integers(1, 40))
def test_every_answer_token_is_predicted_once_by_the_token_before(items: list[Continuation], budget: int) -> None:
    packed = pack(items, budget, CPU)
    answers = [token for item in items for token in item.answer_ids]
    targets = np.full(len(answers), -1)
    for row in packed.rows:
        assert (targets[row.places] == -1).all()
        targets[row.places] = row.targets.numpy()
    targets[packed.first_places] = packed.first_targets.numpy()
    assert targets.tolist() == answers
    for row in packed.rows:
        for predictor, place in zip(row.predictors.tolist(), row.places.tolist()):
            index = int(np.searchsorted(packed.answer_starts, place, side="right")) - 1
            item = packed.continuations[index]
            position = len(item.query_ids) + place - packed.answer_starts[index] - 1
            assert row.input_ids[0, predictor] == (*item.query_ids, *item.answer_ids)[position]
            assert row.offsets[0, predictor] == position - len(packed.common_ids)


@given(items=CONTINUATIONS, budget=st.integers(1, 40), spare=st.integers(0, 10))
def test_rows_keep_the_budget_and_groups_cover_rows(items: list[Continuation], budget: int, spare: int) -> None:
    for row in pack(items, budget, CPU).rows:
        assert row.input_ids.shape[1] <= budget or sum(group.count for group in row.groups) == 1
        assert [group.start for group in row.groups] == np.cumsum([0, *(g.tokens for g in row.groups)])[:-1].tolist()
        assert sum(group.tokens for group in row.groups) == row.input_ids.shape[1]


def test_options_of_one_token_share_their_query() -> None:
    options = [Continuation((5, 6, 7), (option,)) for option in (1, 2, 3)]
    longer = [Continuation((5, 6, 7), (1, 2)), Continuation((5, 6), (7, 1))]
    packed = pack([*options, *longer, Continuation((9, 6, 8), (2,))], 40, CPU)
    (row,) = packed.rows
    assert row.input_ids.shape[1] == 3 + 4 + 3 + 3, "the queries (5 6 7), (5 6 7 1), (5 6 7) with another end, (9 6 8)"
    assert len(row.targets) == int(packed.n_tokens.sum())


@given(lengths=st.lists(st.integers(1, 30), min_size=1, max_size=20), spare=st.integers(0, 20))
def test_groups_waste_little_and_index_the_right_tokens(lengths: list[int], spare: int) -> None:
    lengths.sort(reverse=True)
    seen: list[int] = []
    for group in make_groups(lengths, spare, CPU):
        assert group.count * group.length - group.tokens <= spare
        own = range(group.start, group.start + group.tokens)
        if group.index is not None and group.kept is not None:
            assert group.index[group.kept].tolist() == list(own)
        seen.extend(own)
    assert seen == list(range(sum(lengths)))


@given(lengths=st.lists(st.integers(0, 20), max_size=20), budget=st.integers(1, 40))
def test_split_covers_all_in_order(lengths: list[int], budget: int) -> None:
    runs = split_by_budget(lengths, budget)
    assert [at for run in runs for at in run] == list(range(len(lengths)))
    assert all(sum(lengths[at] for at in run) <= budget or len(run) == 1 for run in runs)


def test_common_beginning_only_where_it_pays() -> None:
    query = tuple(range(20))
    assert common_beginning([query]) == ()
    assert common_beginning([query, query]) == ()  # 20 tokens spared: less than a pass costs
    assert common_beginning([query, query, (*query, 7)]) == query
    assert common_beginning([(*query, 1), (*query, 2), query[:17]]) == query[:17]
    assert common_beginning([(1, 2), (2, 1)] * 50) == ()


def test_causal_mask_by_hand() -> None:
    hidden = float("-inf")
    wanted = torch.tensor([[0.0, 0.0, 0.0, hidden, hidden], [0.0, 0.0, 0.0, 0.0, hidden], [0.0] * 5])
    assert torch.equal(causal_mask(2, 3, torch.zeros(1)), wanted)
