"""How well a score tells good examples from bad ones, and how it depends on the anchors (beyond the paper).

Needs NumPy only. An example that is never chosen by a score (it has none, or an IFD of 1 or more where high ones are
chosen: `scripts.selection.scores`, which the selection asks too) counts as the lowest of all.
"""

from __future__ import annotations

import math
from typing import Sequence

import numpy as np

from scripts.selection.scores import eligible

AUC, AGREEMENT = "auc", "spearman_with_all_anchors"
"""Names of metrics: `auc`, and `spearman` with the scores by all anchors."""


def ranks(values: np.ndarray) -> np.ndarray:
    """Return the rank of each value, 1 for the lowest; equal values share the mean of their ranks."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[group.reshape(-1)]


def auc(scores: np.ndarray, good: np.ndarray) -> tuple[float, float]:
    """Return the area under the ROC curve and its standard error.

    The area is the chance that a good example scores higher than a bad one, ties counting half (Mann and Whitney); its
    standard error is that of DeLong et al. (1988), over the examples. scores: (n,), higher is better; good: (n,) bool.
    Raises ValueError if there is no good or no bad example. The error is 0 where one side has a single example.
    """
    scores, good = np.asarray(scores, dtype=np.float64), np.asarray(good, dtype=bool)
    n_good, n_bad = int(good.sum()), int((~good).sum())
    if not n_good or not n_bad:
        raise ValueError("the AUC needs good and bad examples")
    together = ranks(scores)
    beaten = (together[good] - ranks(scores[good])) / n_bad  # of each good one: share of the bad ones below it
    unbeaten = 1 - (together[~good] - ranks(scores[~good])) / n_good  # of each bad one: share of the good ones above it
    variances = [float(side.var(ddof=1)) / len(side) if len(side) > 1 else 0.0 for side in (beaten, unbeaten)]
    return float(beaten.mean()), math.sqrt(sum(variances))


def precision_at_k(scores: np.ndarray, good: np.ndarray, k: int) -> tuple[float, int]:
    """Return the share of good ones among the `k` highest scores, and how many those are.

    Of equal scores the earlier example goes first. An example of score minus infinity is never chosen: where fewer than
    `k` are left, the share is of those, as the subset holds no others. Raises ValueError if none is left.
    """
    if not 1 <= k <= len(scores):
        raise ValueError(f"k = {k} of {len(scores)} examples")
    values = np.asarray(scores, dtype=np.float64)
    order = np.argsort(-values, kind="stable")[:k]
    chosen = order[values[order] > -np.inf]
    if not len(chosen):
        raise ValueError("no example can be chosen by this score")
    return float(np.asarray(good, dtype=bool)[chosen].mean()), len(chosen)


def roc_points(scores: np.ndarray, good: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (false positive rates, true positive rates) for every distinct threshold, from (0, 0) to (1, 1)."""
    scores, good = np.asarray(scores, dtype=np.float64), np.asarray(good, dtype=bool)
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    ends = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(scores) - 1)  # last place of each run of ties
    hits = np.concatenate([[0], np.cumsum(good[order])[ends]])
    misses = np.concatenate([[0], ends + 1]) - hits
    return misses / max(int((~good).sum()), 1), hits / max(int(good.sum()), 1)


def spearman(first: np.ndarray, second: np.ndarray) -> float | None:
    """Return the rank correlation of two scores, None where one of them is the same for all examples."""
    a, b = ranks(np.asarray(first)), ranks(np.asarray(second))
    a, b = a - a.mean(), b - b.mean()
    scale = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / scale if scale else None


def improved_anchors(zero_shot: np.ndarray, one_shot: np.ndarray, n_tokens: np.ndarray) -> np.ndarray:
    """Return (n, K) bool: did the candidate raise the anchor's log-likelihood; an anchor without answer never counts.

    zero_shot: (K,) and one_shot: (n, K) sums in nats; n_tokens: (K,) answer tokens. Raises ValueError for NaN.
    """
    if np.isnan(one_shot).any():
        raise ValueError("some candidates were not run against all anchors")
    return (one_shot > zero_shot[None, :]) & (np.asarray(n_tokens) > 0)[None, :]


def oriented(values: Sequence[float | None], order: str, score: str = "") -> np.ndarray:
    """Return scores so that higher is better (`order` is "highest" or "lowest"), never chosen ones below all others.

    score: its name, which says who is never chosen (`scripts.selection.scores`).
    """
    sign = {"highest": 1.0, "lowest": -1.0}[order]
    kept = eligible(score, values, order)
    return np.array([-np.inf if value is None else sign * value for value in kept], dtype=np.float64)
