"""Which texts each step sees: shuffled batches, representative teachers, diverse mini-batches.

All are functions of the step's number, so a resumed run sees what the uninterrupted one would have seen.
"""

from __future__ import annotations

from typing import Sequence, Union

import numpy as np

from scripts.common.seeding import derive_seed, generator
from scripts.selection.cluster_members import cluster, cluster_members


class Shuffled:
    """Endless shuffled batches of `size` rows of range(n); a last part batch of an epoch is dropped.

    With fewer than `size` rows every batch holds all of them.

    # DEVIATION: DDG's released loader then gives no batch and fails.
    """

    def __init__(self, n: int, size: int, seed: int, *names: Union[str, int]) -> None:
        self.n, self.size, self.seed, self.names = n, min(size, n), seed, names
        self._epoch, self._order = -1, np.empty(0, dtype=np.int64)

    def rows(self, step: int) -> list[int]:
        """Return the rows of step 0, 1, ..."""
        epoch, slot = divmod(step, self.n // self.size)
        if epoch != self._epoch:
            self._epoch = epoch
            self._order = generator(self.seed, *self.names, epoch).permutation(self.n)
        return self._order[slot * self.size : (slot + 1) * self.size].tolist()


class Walk:
    """The same rows again and again in their order, `size` a step: how the representative teacher is read."""

    def __init__(self, rows: Sequence[int], size: int) -> None:
        self._rows, self._size = list(rows), size

    def rows(self, step: int) -> list[int]:
        """Return the rows of step 0, 1, ..."""
        return [self._rows[(step * self._size + place) % len(self._rows)] for place in range(self._size)]


def representative_rows(
    embeddings: np.ndarray, rows: Sequence[int], size: int, versions: int, threads: int
) -> list[int]:
    """Return `versions` coresets of `size` rows of one class, one after another.

    embeddings: (len(rows), d). Version v holds the members nearest to the means of K-means seeded with v.
    Raises `UserError` if the class has fewer than `size` distinct texts.
    """
    found: list[int] = []
    for version in range(versions):
        found += [rows[place] for place in cluster_members(embeddings, size, seed=version, threads=threads)]
    return found


def diverse_batches(
    embeddings: np.ndarray, n_batches: int, size: int, clusters: int, seed: int, threads: int
) -> list[list[int]]:
    """Return `n_batches` batches of `size` rows, each with size / clusters rows of every K-means cluster.

    A cluster that runs out begins again; a batch takes one row of every cluster in turn. Where texts coincide so much
    that clusters stay empty, the others give more.

    # DEVIATION: DiLM's K-means is not seeded here; ours is.
    """
    labels = cluster(embeddings, clusters, seed=seed, threads=threads)
    members = [np.flatnonzero(labels == number) for number in range(clusters)]
    filled = [own for own in members if len(own)]
    shares = [size // len(filled) + (place < size % len(filled)) for place in range(len(filled))]
    return [
        [
            int(own[(batch * share + i) % len(own)])
            for i in range(max(shares))
            for own, share in zip(filled, shares)
            if i < share
        ]
        for batch in range(n_batches)
    ]


def plain_batches(n_batches: int, size: int) -> list[list[int]]:
    """Return rows in the order in which they were drawn, `size` a batch."""
    return [list(range(batch * size, (batch + 1) * size)) for batch in range(n_batches)]


def cluster_seed(seed: int, *names: Union[str, int]) -> int:
    """Return a K-means seed in scikit-learn's range."""
    return derive_seed(seed, "clusters", *names) % 2**32
