"""DEFT-UCS: from each K-means cluster the examples nearest to its centre and those farthest from it.

Das and Khetan (2024): the near ones are easy, the far ones hard. Baseline of DELIFT (table 1).
# DEVIATION: the released DELIFT code takes positions inside a cluster for positions in the pool, drops points with a
# negative dot product and leaves cluster sizes out of account; we map the indices back, measure distances, and share
# the budget among the clusters as evenly as their sizes allow. `released_deft_ucs` does as the release.
"""

from __future__ import annotations

import numpy as np

from scripts.common.errors import UserError
from scripts.common.sizes import whole_part
from scripts.selection.distances import check_points, squared_distances
from scripts.selection.kmeans import fit_kmeans


def deft_ucs(
    points: np.ndarray, n: int, *, clusters: int, near_share: float, random_state: int = 0, threads: int = 1
) -> np.ndarray:
    """Return `n` row indices, ascending: of each cluster a part nearest to its centre, and a part farthest from it.

    points: (n_points, d). near_share: how much of a part is near. Every cluster gives the same number where it has that
    many; what is missing is spread over the others. Equal distances go to the lower row. Raises `UserError` for
    impossible numbers and values that are not finite.
    """
    check_points(points, n, "DEFT-UCS")
    if not 0 <= near_share <= 1:
        raise UserError(f"DEFT-UCS: near_share {near_share} is not in 0..1")
    if not 1 <= clusters <= len(points):
        raise UserError(f"DEFT-UCS: {clusters} clusters of {len(points)} rows; ask for 1..{len(points)}")
    centres, labels = fit_kmeans(points, clusters, random_state, threads)
    members = [np.flatnonzero(labels == number) for number in range(clusters)]
    chosen = []
    for rows, centre, quota in zip(members, centres, even_quotas([len(rows) for rows in members], n)):
        order = rows[np.argsort(squared_distances(points[rows], centre), kind="stable")]
        n_near = whole_part(quota, near_share)  # as the release rounds its half
        chosen.extend(order[:n_near])
        chosen.extend(order[len(order) - (quota - n_near) :])
    return np.sort(np.array(chosen, dtype=np.int64))


def released_deft_ucs(
    points: np.ndarray, n: int, *, clusters: int, near_share: float, random_state: int = 0, threads: int = 1
) -> np.ndarray:
    """Return the indices that DELIFT's released code takes for rows of the pool, each once, in its order.

    Of each cluster the points whose scalar product with the centre is positive are sorted by it, rising; the first
    `near_share` and the last 1 - `near_share` of n // clusters are taken, and their places in that sorted list are
    returned as if they were rows. Clusters so give the same few low numbers again and again; the release trains on
    repeated rows, here each comes once. points and errors as for `deft_ucs`; equal products go to the lower row.
    """
    check_points(points, n, "DEFT-UCS")
    if not 1 <= clusters <= len(points):
        raise UserError(f"DEFT-UCS: {clusters} clusters of {len(points)} rows; ask for 1..{len(points)}")
    centres, labels = fit_kmeans(points, clusters, random_state, threads, n_starts=1)
    quota = n // clusters
    chosen: list[int] = []
    for number, centre in enumerate(centres):
        products = points[labels == number] @ centre
        order = np.argsort(products[products > 0], kind="stable")
        chosen.extend(order[: int(near_share * quota)])
        chosen.extend(order[int((near_share - 1) * quota) :])  # where that is 0, the whole cluster
    return np.array(list(dict.fromkeys(map(int, chosen))), dtype=np.int64)


def even_quotas(sizes: list[int], n: int) -> list[int]:
    """Return how many of `n` each group gives: as evenly as the sizes allow, one more to the first groups."""
    quotas = [0] * len(sizes)
    left = n
    while left:
        open_groups = [number for number, size in enumerate(sizes) if quotas[number] < size]
        share = max(1, left // len(open_groups))
        for number in open_groups:
            given = min(share, sizes[number] - quotas[number], left)
            quotas[number] += given
            left -= given
    return quotas
