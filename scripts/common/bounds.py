"""What values a measure can take, so that no figure draws an interval beyond them."""

from __future__ import annotations

import math

Bounds = tuple[float, float]

ANY: Bounds = (-math.inf, math.inf)
PERCENT: Bounds = (0.0, 100.0)
SHARE: Bounds = (0.0, 1.0)
COSINE: Bounds = (-1.0, 1.0)
LOG_LIKELIHOOD: Bounds = (-math.inf, 0.0)

_BOUNDS: tuple[tuple[str, Bounds], ...] = (
    ("score_percent", PERCENT),
    ("accuracy_percent", PERCENT),
    ("win_rate_percent", PERCENT),
    ("share_percent", PERCENT),
    ("accuracy", SHARE),
    ("exact_match", SHARE),
    ("auc", SHARE),
    ("rouge_1", SHARE),
    ("rouge_l", SHARE),
    ("bleu", SHARE),
    ("known_share", SHARE),
    ("bge_cosine", COSINE),
    ("judge_score", (1.0, 5.0)),
    ("score_1_to_10", (1.0, 10.0)),
    ("loglik_nats_per_token", LOG_LIKELIHOOD),
)
"""Ending of a metric's name, the smallest and the largest value that it can have."""


def bounds_of(metric: str) -> Bounds:
    """Return the smallest and the largest value that a metric can have; infinite where nothing limits it."""
    return next((bounds for ending, bounds in _BOUNDS if metric.endswith(ending)), ANY)
