"""Herding: examples chosen one after the other so that their mean stays near the mean of all (Welling, 2009)."""

from __future__ import annotations

import numpy as np

from scripts.selection.distances import check_points


def herding(points: np.ndarray, n: int) -> list[int]:
    """Return `n` row indices in the order chosen: each brings the mean of the chosen nearest to the mean of all.

    points: (n_points, d), computed in float64. Ties go to the lowest index; no row is chosen twice. Raises `UserError`
    if n is not in 1..n_points or values are not finite.
    """
    check_points(points, n, "herding")
    rows = points.astype(np.float64)
    mean = rows.mean(axis=0)
    squares = np.einsum("nd,nd->n", rows, rows)
    chosen: list[int] = []
    total = np.zeros_like(mean)
    free = np.ones(len(rows), dtype=bool)
    for count in range(1, n + 1):
        # ||(total + x) / count - mean||^2 without the terms that are the same for every x
        rest = total - count * mean
        best = int(np.argmin(np.where(free, squares + 2 * (rows @ rest), np.inf)))
        chosen.append(best)
        free[best] = False
        total += rows[best]
    return chosen
