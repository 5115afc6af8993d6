"""Exact early stopping for a threshold on the golden score ("racing"; beyond the paper).

A candidate that improved c of the m anchors seen so far, out of K, ends with a golden score between c/K and
(c + K - m)/K. Once both ends lie on one side of the threshold, the other anchors cannot change the decision. Only the
decision is exact then: the score itself is known as its lower bound c/K, which lies on the same side.
"""

from __future__ import annotations

from typing import Sequence

import numpy as np

N_BLOCKS = 10  # how often a candidate is looked at: after each tenth of the anchors
ABOVE, NOT_ABOVE = "above", "not_above"


def decide(n_improved: int, n_open: int, n_anchors: int, threshold: float) -> str | None:
    """Return `above` or `not_above` if the golden score's side of `threshold` is certain, else None.

    n_improved: anchors known to be improved; n_open: anchors not seen yet; the score is above only if strictly greater,
    compared as it is when subsets are chosen (n / n_anchors > threshold).
    """
    if n_improved / n_anchors > threshold:
        return ABOVE
    if (n_improved + n_open) / n_anchors <= threshold:
        return NOT_ABOVE
    return None


def split_blocks(n_tokens: Sequence[int], n_blocks: int = N_BLOCKS) -> list[np.ndarray]:
    """Return the anchors' indices in the blocks in which they are scored: short ones first.

    n_tokens: what each anchor costs. Stopping early then saves the most expensive anchors; the decision does not depend
    on the order. Blocks differ by at most one anchor and are never empty.
    """
    order = np.argsort(np.asarray(n_tokens), kind="stable")
    return [block for block in np.array_split(order, min(n_blocks, len(order))) if len(block)]


def answered_blocks(n_answer_tokens: Sequence[int]) -> list[np.ndarray]:
    """Return the blocks in which racing scores the anchors that have an answer: those with the shortest answers first.

    n_answer_tokens: scored tokens of each anchor's answer. An anchor without any is in no block: nothing improves it.
    """
    answered = np.flatnonzero(np.asarray(n_answer_tokens))
    return [answered[block] for block in split_blocks(np.asarray(n_answer_tokens)[answered])] if len(answered) else []


def anchors_needed(
    improved: np.ndarray, threshold: float, blocks: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Replay racing on a whole outcome.

    improved: (n, K) bool, whether a candidate improved an anchor; blocks: the anchors' indices in the order of scoring;
    an anchor in none of them is known from the start not to be improved. Returns (anchors evaluated (n,) int, golden
    score above the threshold (n,) bool); the latter equals the decision on the whole score.
    """
    n_candidates, n_anchors = improved.shape
    n_scored = sum(map(len, blocks))
    needed = np.full(n_candidates, n_scored, dtype=np.int64)
    above = np.zeros(n_candidates, dtype=bool)
    undecided = np.ones(n_candidates, dtype=bool)
    n_seen = 0
    n_improved = np.zeros(n_candidates, dtype=np.int64)
    for block in blocks:
        n_seen += len(block)
        n_improved += improved[:, block].sum(axis=1)
        now_above = n_improved / n_anchors > threshold
        now_decided = now_above | ((n_improved + n_scored - n_seen) / n_anchors <= threshold)
        newly = undecided & now_decided
        needed[newly] = n_seen
        above[newly] = now_above[newly]
        undecided &= ~now_decided
    return needed, above
