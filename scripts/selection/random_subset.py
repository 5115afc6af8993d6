"""Uniform random subsets: the baseline that every selection has to beat."""

from __future__ import annotations

import numpy as np

from scripts.common.errors import UserError


def random_subset(n_pool: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return `n` distinct indices of `range(n_pool)`, every subset equally likely, in ascending order.

    Raises `UserError` if n is not in 0..n_pool.
    """
    if not 0 <= n <= n_pool:
        raise UserError(f"random subset: asked for {n} rows of {n_pool}; ask for at most {n_pool}")
    return np.sort(rng.permutation(n_pool)[:n])
