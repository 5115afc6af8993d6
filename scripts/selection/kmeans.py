"""K-means representatives: the real example nearest to each cluster centre (the anchors of NUGGETS, section 3)."""

from __future__ import annotations

import numpy as np

from scripts.common.errors import UserError
from scripts.selection.distances import check_points, squared_distances

# scikit-learn's default when the paper's code ran; the present default of one start would give other centres.
N_STARTS = 10


def kmeans_representatives(points: np.ndarray, k: int, *, random_state: int = 0, threads: int = 1) -> np.ndarray:
    """Return the rows that stand for the `k` clusters of `points`, in ascending order.

    points: (n, d). random_state: seed of scikit-learn's KMeans (the paper's is 0). threads: of the linear algebra; the
    sums, and with them ties, can depend on it. Returns (k,) distinct row indices that are also distinct as points: a
    centre whose nearest example is taken already gets its next nearest one, equal distances go to the lower index.
    Raises `UserError` if there are fewer than `k` distinct points or if values are not finite.
    """
    check_points(points, k, "k-means")
    _, first_rows = np.unique(points, axis=0, return_index=True)
    rows = np.sort(first_rows)  # one row, the first, for each distinct point
    if len(rows) < k:
        raise UserError(f"k-means: only {len(rows)} distinct points for {k} clusters; ask for at most {len(rows)}")
    centres, _ = fit_kmeans(points, k, random_state, threads)
    return np.sort(rows[_nearest_distinct(points[rows], centres)])


def fit_kmeans(
    points: np.ndarray, k: int, random_state: int, threads: int, n_starts: int = N_STARTS
) -> tuple[np.ndarray, np.ndarray]:
    """Return the (k, d) centres that scikit-learn finds, the best of `n_starts`, and the (n,) cluster of each point."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=threads):
        fitted = KMeans(n_clusters=k, random_state=random_state, n_init=n_starts).fit(points)
    return fitted.cluster_centers_, fitted.labels_


def _nearest_distinct(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return for each centre, in order, the nearest point that no earlier centre took."""
    free = np.ones(len(points), dtype=bool)
    chosen = np.empty(len(centres), dtype=np.int64)
    for number, centre in enumerate(centres):
        chosen[number] = np.argmin(np.where(free, squared_distances(points, centre), np.inf))
        free[chosen[number]] = False
    return chosen
