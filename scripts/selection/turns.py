"""Choosing for several questions at once: they take turns, and each takes the best of what is left."""

from __future__ import annotations

import numpy as np

from scripts.common.errors import UserError


def in_turns(scores: np.ndarray, n: int) -> list[int]:
    """Return `n` candidates in the order chosen.

    scores: (questions, candidates), higher is better. The questions choose in their order, again and again, so that
    none is ahead of another by more than one; each takes its best candidate that is left, ties to the lowest. The first
    k of a larger choice are the choice of k. Raises `UserError` if n is above the number of candidates, if there is no
    question, or if a score is not finite.
    """
    questions, candidates = scores.shape
    if not questions:
        raise UserError("choosing in turns: no row says what is asked for; give some")
    if not 0 <= n <= candidates:
        raise UserError(f"choosing in turns: {n} of {candidates} candidates; give a number from 0 to {candidates}")
    if not np.isfinite(scores).all():
        raise UserError("choosing in turns: a score is not finite; look at the embeddings")
    ranked = [iter(row.tolist()) for row in np.argsort(-scores, axis=1, kind="stable")]
    chosen: dict[int, None] = {}
    while len(chosen) < n:
        place = next(place for place in ranked[len(chosen) % questions] if place not in chosen)
        chosen[place] = None
    return list(chosen)
