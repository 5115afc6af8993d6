"""How far scores agree with released ones: AUC for a label, rank correlation, both beside the answers' length.

Needs NumPy only. Scores are oriented (`selection_quality.oriented`): higher is better, minus infinity is never chosen.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Callable, Mapping, Sequence

import numpy as np

from scripts.nuggets.selection_quality import auc, ranks, spearman

BINS = 5
"""Parts of equal size into which the pool is cut by the answers' length."""


@dataclasses.dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval, and how many rows it is of; the ends are None where it cannot be resampled."""

    value: float
    low: float | None
    high: float | None
    n: int


def partial_spearman(first: np.ndarray, second: np.ndarray, fixed: np.ndarray) -> float | None:
    """Return the rank correlation of two quantities with a third held fixed; None where one of them is constant."""
    pairs = [spearman(*pair) for pair in ((first, second), (first, fixed), (second, fixed))]
    if any(pair is None for pair in pairs):
        return None
    both, one, other = (float(pair) for pair in pairs if pair is not None)
    scale = math.sqrt(max(0.0, (1 - one**2) * (1 - other**2)))
    return (both - one * other) / scale if scale else None


def length_bins(length: np.ndarray, bins: int = BINS) -> np.ndarray:
    """Return the part of each row, 0 for the shortest answers; equal lengths lie in one part. length: (n,)."""
    return np.minimum((ranks(length) - 0.5) * bins // len(length), bins - 1).astype(int)


def auc_within(scores: np.ndarray, good: np.ndarray, bins: np.ndarray) -> float | None:
    """Return the chance that a good row scores higher than a bad one of the same part; None without such a pair."""
    total, weight = 0.0, 0
    for part in np.unique(bins):
        here = bins == part
        pairs = int(good[here].sum()) * int((~good[here]).sum())
        if pairs:
            total, weight = total + pairs * auc(scores[here], good[here])[0], weight + pairs
    return total / weight if weight else None


def end_share(scores: np.ndarray, kind: np.ndarray, share: float, highest: bool) -> float:
    """Return the share of rows of a kind among the highest or lowest ones; equal scores at the cut count in part."""
    k = max(1, math.floor(share * len(scores)))
    values = scores if highest else -scores
    cut = np.sort(values)[-k]
    above, at = values > cut, values == cut
    return float((kind[above].sum() + (k - above.sum()) * kind[at].mean()) / k)


def measures(
    score: np.ndarray, good: np.ndarray, length: np.ndarray, released: np.ndarray
) -> dict[tuple[str, str], Callable[[np.ndarray], float | None]]:
    """Return of each (setting, metric) a function of the rows taken, by their places.

    score, length: (n,); good: (n,) bool; released: (n,), NaN where nothing was released.
    """

    def held(rows: np.ndarray) -> float | None:
        known = rows[~np.isnan(released[rows])]
        return spearman(score[known], released[known]) if len(known) > 2 else None

    return {
        ("label", "auc"): lambda rows: auc(score[rows], good[rows])[0] if len(set(good[rows])) == 2 else None,
        ("top_fifth", "share_good"): lambda rows: end_share(score[rows], good[rows], 1 / BINS, True),
        ("bottom_fifth", "share_bad"): lambda rows: end_share(score[rows], ~good[rows], 1 / BINS, False),
        ("released_score", "spearman"): held,
        ("equal_length", "auc"): lambda rows: auc_within(score[rows], good[rows], length_bins(length[rows])),
        ("equal_length", "spearman"): lambda rows: partial_spearman(
            score[rows], good[rows].astype(float), length[rows]
        ),
    }


def with_interval(
    measure: Callable[[np.ndarray], float | None], places: np.ndarray, draws: Sequence[np.ndarray]
) -> Interval | None:
    """Return a value with its percentile interval over resampled rows; None where it has no value.

    draws: places drawn with replacement; a draw without a value (one kind only) is left out.
    """
    value = measure(places)
    if value is None:
        return None
    drawn = [found for found in (measure(rows) for rows in draws) if found is not None]
    low, high = (float(q) for q in np.quantile(drawn, (0.025, 0.975))) if drawn else (None, None)
    return Interval(value, low, high, len(places))


def agreement(
    scores: Mapping[str, np.ndarray],
    good: np.ndarray,
    length: np.ndarray,
    released: np.ndarray,
    draws: Sequence[np.ndarray],
) -> dict[tuple[str, str, str], Interval]:
    """Return every value as {(setting, score, metric): value with interval}, those without a value left out."""
    found = {}
    places = np.arange(len(good))
    for name, score in scores.items():
        for (setting, metric), measure in measures(score, good, length, released).items():
            if setting == "equal_length" and name == "length":
                continue
            interval = with_interval(measure, places, draws)
            if interval is not None:
                found[setting, name, metric] = interval
    return found
