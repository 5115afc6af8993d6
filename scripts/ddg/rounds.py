"""Which demonstrations and which queries a prompt shows, in rounds as LongICLBench draws them."""

from __future__ import annotations

from typing import Sequence

from scripts.common.errors import UserError

FULL = "full"


def select_rounds(labels: Sequence[int], rounds: int) -> list[int]:
    """Return rows in `rounds` turns: each turn takes the next unused row of every class.

    Classes stand in the order in which they first appear. Where one has no row left, the first later class that still
    has one gives a row in its place. The rows of fewer turns are the beginning of those of more.
    """
    left: dict[int, list[int]] = {}
    for row, label in enumerate(labels):
        left.setdefault(label, []).append(row)
    order = list(left)
    chosen: list[int] = []
    for _ in range(rounds):
        for place, label in enumerate(order):
            giver = next((own for own in (label, *order[place + 1 :]) if left[own]), None)
            if giver is not None:
                chosen.append(left[giver].pop(0))
    return chosen


def select_queries(labels: Sequence[int], turns: int, n_queries: int | str) -> list[int]:
    """Return the rows of the test split to ask about: `turns` turns cut after `n_queries`, or all rows for `full`."""
    if n_queries == FULL:
        return list(range(len(labels)))
    return select_rounds(labels, turns)[: int(n_queries)]


def read_n_queries(text: str) -> int | str:
    """Return a number of queries or `full`. Raises `UserError` for anything else."""
    if text == FULL:
        return FULL
    if not text.isdigit() or int(text) < 1:
        raise UserError(f"--test-number {text}: expected a whole number above 0, or '{FULL}' for all test rows")
    return int(text)
