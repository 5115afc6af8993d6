"""Packing continuations into rows of tokens, once for all prefixes.

Continuations are sorted by length and laid end to end in one row up to a token budget: no padding reaches the linear
layers. Neighbours of nearly equal length form a group whose attention runs as one call. What all queries begin with (a
template's first words, or the whole query where only the answers differ) is kept apart, to run once with the prefix.
Continuations that feed the model the same tokens, as the options of a query do that are one token long, lie there once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import numpy as np
import torch
from torch import Tensor

from scripts.common.errors import UserError

MIN_SHARED_TOKENS = 32  # repeated tokens of a common beginning that are worth a separate pass
CPU_SPARE_SLOTS = 16  # padded slots that a group may hold: attention over them costs less than one more call
CUDA_SPARE_SLOTS = 1024


@dataclass(frozen=True)
class Continuation:
    """A query and its answer as token ids. The query may be empty if a prefix goes before it; so may the answer."""

    query_ids: tuple[int, ...]
    answer_ids: tuple[int, ...]


@dataclass(frozen=True)
class Group:
    """Neighbouring segments of a row: `count` of them, `tokens` in all from `start`, padded to `length` for attention.

    index: (count * length,) the row's token for each padded slot; kept: (tokens,) the slots that are not padding. Both
    are None for a single segment, which needs no padding.
    """

    start: int
    count: int
    length: int
    tokens: int
    index: Tensor | None
    kept: Tensor | None


@dataclass(frozen=True)
class Row:
    """Several continuations end to end, on the model's device.

    input_ids, offsets: (1, tokens), ids and positions counted from the end of prefix and common beginning. predictors:
    (answers,) indices of the tokens whose hidden state predicts an answer token, targets: (answers,) those tokens' ids,
    places: (answers,) their places in the flat list of all answer tokens.
    """

    input_ids: Tensor
    offsets: Tensor
    groups: tuple[Group, ...]
    predictors: Tensor
    targets: Tensor
    places: np.ndarray


@dataclass(frozen=True)
class PackedContinuations:
    """Continuations ready to be scored after any number of prefixes.

    common_ids: what all queries begin with. rows: all that follows. first_targets, first_places: answer tokens that the
    prefix itself predicts (their query is empty, or wholly common). n_tokens: (n,) answer tokens. answer_starts: (n,)
    place of each one's first answer token. max_fed: most tokens that any continuation feeds to the model, by `longest`.
    """

    continuations: tuple[Continuation, ...]
    common_ids: tuple[int, ...]
    rows: tuple[Row, ...]
    first_targets: Tensor
    first_places: np.ndarray
    n_tokens: np.ndarray
    answer_starts: np.ndarray
    max_fed: int
    longest: int

    @property
    def n_fed(self) -> int:
        """Tokens in all rows."""
        return sum(row.input_ids.shape[1] for row in self.rows)


def check_ids(name: str, ids: Sequence[int], n_words: int) -> None:
    """Raise `UserError` for a token id that the model's vocabulary lacks; `name` says whose ids they are."""
    if len(ids) and (min(ids) < 0 or max(ids) >= n_words):
        token = next(token for token in ids if not 0 <= token < n_words)
        raise UserError(
            f"{name}: token id {token} is outside the model's vocabulary of {n_words};"
            " use the tokenizer that belongs to the model"
        )


def pack(
    continuations: Sequence[Continuation], batch_tokens: int, device: torch.device, *, share: bool = True
) -> PackedContinuations:
    """Pack continuations into rows of at most `batch_tokens` tokens (a longer continuation has a row of its own).

    The packing depends on the set of continuations alone, not on their order. share=False makes no rows and keeps no
    common beginning: for models that read query and answer apart.
    """
    items = tuple(continuations)
    n_tokens = np.array([len(item.answer_ids) for item in items], dtype=np.int64)
    answer_starts = np.concatenate([[0], np.cumsum(n_tokens)])[:-1].astype(np.int64)
    active = [index for index, item in enumerate(items) if item.answer_ids]
    common = common_beginning([items[index].query_ids for index in active]) if share else ()
    fed = {index: (*items[index].query_ids, *items[index].answer_ids[:-1]) for index in active}
    longest = max(active, key=lambda index: len(fed[index]), default=0)
    firsts = [index for index in active if share and len(items[index].query_ids) == len(common)]
    order = [index for index in active if share and len(fed[index]) > len(common)]
    order.sort(key=lambda i: (-len(fed[i]), fed[i], len(items[i].query_ids), items[i].answer_ids[-1]))
    shared: list[list[int]] = []  # continuations that lie in a row once
    for index in order:
        if shared and same_tokens(items, fed, shared[-1][0], index):
            shared[-1].append(index)
        else:
            shared.append([index])
    rows = []
    for members in split_by_budget([len(fed[group[0]]) - len(common) for group in shared], batch_tokens):
        chosen = [index for position in members for index in shared[position]]
        rows.append(_make_row(items, fed, chosen, len(common), answer_starts, device))
    return PackedContinuations(
        continuations=items,
        common_ids=common,
        rows=tuple(rows),
        first_targets=torch.tensor([items[index].answer_ids[0] for index in firsts], dtype=torch.long, device=device),
        first_places=answer_starts[firsts] if firsts else np.zeros(0, dtype=np.int64),
        n_tokens=n_tokens,
        answer_starts=answer_starts,
        max_fed=len(fed[longest]) if active else 0,
        longest=longest,
    )


def same_tokens(items: Sequence[Continuation], fed: dict[int, tuple[int, ...]], one: int, other: int) -> bool:
    """Return whether two continuations feed the model the same tokens and begin their answers at the same place."""
    return fed[one] == fed[other] and len(items[one].query_ids) == len(items[other].query_ids)


def common_beginning(queries: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Return what all queries begin with, or () where running it apart would spare fewer than `MIN_SHARED_TOKENS`."""
    if len(queries) < 2:
        return ()
    low, high = min(queries), max(queries)
    length = next((at for at, (a, b) in enumerate(zip(low, high)) if a != b), min(len(low), len(high)))
    return low[:length] if length * (len(queries) - 1) >= MIN_SHARED_TOKENS else ()


def split_by_budget(lengths: Sequence[int], budget: int) -> list[range]:
    """Split positions 0..n-1 into runs whose lengths add up to `budget` at most (one longer item stands alone)."""
    runs, start, total = [], 0, 0
    for position, length in enumerate(lengths):
        if position > start and total + length > budget:
            runs.append(range(start, position))
            start, total = position, 0
        total += length
    if lengths:
        runs.append(range(start, len(lengths)))
    return runs


def make_groups(lengths: Sequence[int], spare_slots: int, device: torch.device) -> tuple[Group, ...]:
    """Group falling segment lengths so that padding each group to its longest wastes `spare_slots` at most."""
    groups: list[Group] = []
    start = first = wasted = 0
    for position, length in enumerate(lengths):
        gap = lengths[first] - length
        if wasted + gap > spare_slots:
            groups.append(_group(start, lengths[first:position], device))
            start, first, wasted, gap = start + groups[-1].tokens, position, 0, 0
        wasted += gap
    groups.append(_group(start, lengths[first:], device))
    return tuple(groups)


def _group(start: int, lengths: Sequence[int], device: torch.device) -> Group:
    """Make a group of segments that follow each other from token `start` on, the longest first."""
    tokens = sum(lengths)
    if len(lengths) == 1:
        return Group(start, 1, tokens, tokens, None, None)
    sizes = np.array(lengths)
    starts = start + np.cumsum(sizes) - sizes
    slots = np.arange(sizes[0])
    inside = slots < sizes[:, None]
    index = np.where(inside, starts[:, None] + slots, starts[:, None]).ravel()
    kept = np.flatnonzero(inside.ravel())
    return Group(
        start, len(sizes), int(sizes[0]), tokens, torch.from_numpy(index).to(device), torch.from_numpy(kept).to(device)
    )


def _make_row(
    items: Sequence[Continuation],
    fed: dict[int, tuple[int, ...]],
    chosen: Sequence[int],
    skip: int,
    answer_starts: np.ndarray,
    device: torch.device,
) -> Row:
    """Lay the chosen continuations end to end, leaving out the first `skip` tokens of each."""
    ids: list[int] = []
    offsets: list[int] = []
    lengths: list[int] = []
    predictors: list[np.ndarray] = []
    targets: list[int] = []
    places: list[np.ndarray] = []
    start = 0
    for position, index in enumerate(chosen):
        if position == 0 or not same_tokens(items, fed, chosen[position - 1], index):
            tokens = fed[index][skip:]
            start = len(ids)
            ids.extend(tokens)
            offsets.extend(range(len(tokens)))
            lengths.append(len(tokens))
        answer = items[index].answer_ids
        own = len(items[index].query_ids) - skip  # tokens of the query in this row
        hidden = 1 if own == 0 else 0  # then the prefix predicts the first answer token
        predictors.append(start + own - 1 + np.arange(hidden, len(answer)))
        targets.extend(answer[hidden:])
        places.append(answer_starts[index] + np.arange(hidden, len(answer)))
    spare = CUDA_SPARE_SLOTS if device.type == "cuda" else CPU_SPARE_SLOTS
    return Row(
        input_ids=torch.tensor([ids], dtype=torch.long, device=device),
        offsets=torch.tensor([offsets], dtype=torch.long, device=device),
        groups=make_groups(lengths, spare, device),
        predictors=torch.from_numpy(np.concatenate(predictors)).to(device),
        targets=torch.tensor(targets, dtype=torch.long, device=device),
        places=np.concatenate(places),
    )
