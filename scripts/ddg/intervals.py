"""Intervals of shares: how sure an accuracy over a few queries is."""

from __future__ import annotations

import math

Z_95 = 1.959963984540054


def wilson(right: int, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share `right` / `n`. Raises ValueError unless 0 <= right <= n and n > 0."""
    if n < 1 or not 0 <= right <= n:
        raise ValueError(f"no share: {right} of {n}")
    share, spread = right / n, Z_95**2 / n
    middle = (share + spread / 2) / (1 + spread)
    half = Z_95 * math.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return (max(0.0, middle - half) if right else 0.0), (min(1.0, middle + half) if right < n else 1.0)
