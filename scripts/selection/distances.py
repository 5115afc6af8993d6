"""Squared Euclidean distances in blocks, so that memory does not grow with the number of points."""

from __future__ import annotations

import numpy as np

from scripts.common.errors import UserError

BLOCK_ROWS = 4096


def squared_distances(points: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Return the squared Euclidean distance of each point to `centre`.

    points: (n, d), centre: (d,). Returns (n,) float32. Differences are taken before squaring, so that equal points are
    at distance 0 exactly.
    """
    result = np.empty(len(points), dtype=np.float32)
    centre = centre.astype(np.float32)
    for start in range(0, len(points), BLOCK_ROWS):
        block = points[start : start + BLOCK_ROWS].astype(np.float32) - centre
        result[start : start + BLOCK_ROWS] = np.einsum("nd,nd->n", block, block)
    return result


def check_points(points: np.ndarray, n: int, what: str) -> None:
    """Raise `UserError` unless `points` is a finite matrix with at least `n` >= 1 rows; `what` names the method."""
    if points.ndim != 2:
        raise UserError(f"{what}: expected a matrix (rows, features), found shape {tuple(points.shape)}")
    if n < 1:
        raise UserError(f"{what}: asked for {n} rows; ask for at least 1")
    if n > len(points):
        raise UserError(f"{what}: asked for {n} rows of {len(points)}; ask for at most {len(points)}")
    for start in range(0, len(points), BLOCK_ROWS):
        if not np.isfinite(points[start : start + BLOCK_ROWS]).all():
            raise UserError(f"{what}: values that are not finite; compute the embeddings again in another dtype")
