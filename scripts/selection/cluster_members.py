"""One real member for each K-means cluster: the "k-centers" coreset of DiLM.

Not the greedy k-center of `scripts.selection.k_centers`: DiLM clusters by K-means and keeps the member nearest to each
cluster's mean.
"""

from __future__ import annotations

import warnings

import numpy as np

from scripts.common.errors import UserError
from scripts.selection.distances import check_points, squared_distances


def cluster(points: np.ndarray, k: int, *, seed: int, threads: int = 1) -> np.ndarray:
    """Return the K-means cluster (0..k-1) of each point: k-means++, one start, as DiLM.

    points: (n, d), n >= k. A cluster is empty only where there are fewer than `k` distinct points.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    check_points(points, k, "k-means")
    with threadpool_limits(limits=threads), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct points than clusters: callers look
        return KMeans(n_clusters=k, init="k-means++", n_init=1, random_state=seed % 2**32).fit_predict(points)


def cluster_members(points: np.ndarray, k: int, *, seed: int, threads: int = 1) -> list[int]:
    """Return `k` distinct row indices, one for each K-means cluster, in the order of the clusters.

    Each is the member nearest to its cluster's mean, ties to the lowest index. Equal points count once, so no two of
    the rows are the same point. Raises `UserError` if there are fewer than `k` distinct points.
    """
    check_points(points, k, "k-centers")
    _, first = np.unique(points, axis=0, return_index=True)
    rows = np.sort(first)
    if len(rows) < k:
        raise UserError(f"k-centers: only {len(rows)} distinct points for {k} clusters; ask for at most {len(rows)}")
    distinct = points[rows]
    found = cluster(distinct, k, seed=seed, threads=threads)
    chosen = []
    for number in range(k):
        members = np.flatnonzero(found == number)
        if len(members) == 0:
            raise UserError(f"k-centers: cluster {number} of {k} is empty; ask for fewer")
        mean = distinct[members].mean(axis=0, dtype=np.float64)
        chosen.append(int(rows[members[np.argmin(squared_distances(distinct[members], mean))]]))
    return chosen
