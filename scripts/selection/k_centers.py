"""Greedy k-center: each new centre is the point farthest from all earlier ones (Gonzalez, 1985).

Its covering radius is at most twice the smallest possible one. For choosing data: Sener and Savarese, 2018.
"""

from __future__ import annotations

import numpy as np

from scripts.selection.distances import check_points, squared_distances


def k_centers(points: np.ndarray, k: int, *, first: int | None = None) -> list[int]:
    """Return `k` row indices in the order chosen, farthest first.

    points: (n, d); distances are squared Euclidean in float32. first: the row to start from, by default the one nearest
    to the mean, so that nothing is random. Ties go to the lowest index; rows are never chosen twice, also where points
    coincide. Raises `UserError` if k is not in 1..n or values are not finite.
    """
    check_points(points, k, "k-center")
    if first is None:
        mean = points.mean(axis=0, dtype=np.float64)
        first = int(np.argmin(squared_distances(points, mean)))
    chosen = [first]
    nearest = squared_distances(points, points[first])  # (n,) to the nearest centre so far
    nearest[first] = -1.0  # below every distance: never again the farthest
    while len(chosen) < k:
        farthest = int(np.argmax(nearest))
        chosen.append(farthest)
        np.minimum(nearest, squared_distances(points, points[farthest]), out=nearest)
        nearest[farthest] = -1.0
    return chosen
