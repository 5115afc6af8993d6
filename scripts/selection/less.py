"""LESS: training examples whose (Adam-corrected) gradients point where the validation examples' gradients point.

Xia et al. (2024, arXiv 2402.04333), baseline of DELIFT (table 1): per checkpoint i of a LoRA warm-up, gradients are
projected at random; score(z) = max over subtasks of sum_i lr_i * cos(projected gradient of z, mean one of the subtask).
The gradients themselves come from `scripts.lm.gradients`.
"""

from __future__ import annotations

from typing import Sequence

import numpy as np

from scripts.common.errors import UserError
from scripts.common.seeding import generator

BLOCK = 4096  # weights whose signs are drawn together


class RandomSigns:
    """A random projection from `n_weights` to `dimension` that keeps scalar products in expectation.

    Entries are +-1 / sqrt(dimension) (Rademacher, as TRAK), drawn block by block from a seed: the matrix is never held.
    """

    def __init__(self, n_weights: int, dimension: int, seed: int) -> None:
        if dimension < 1 or n_weights < 1:
            raise UserError(f"dimension: {dimension} of {n_weights} weights; give at least 1")
        self.n_weights, self.dimension, self.seed = n_weights, dimension, seed

    def __call__(self, gradients: np.ndarray) -> np.ndarray:
        """Project (n, n_weights) float32 gradients; returns (n, dimension) float32."""
        result = np.zeros((len(gradients), self.dimension), dtype=np.float32)
        for start in range(0, self.n_weights, BLOCK):
            block = gradients[:, start : start + BLOCK]
            bits = generator(self.seed, "projection", start).bytes(block.shape[1] * self.dimension // 8 + 1)
            drawn = np.unpackbits(np.frombuffer(bits, dtype=np.uint8), count=block.shape[1] * self.dimension)
            signs = drawn.reshape(block.shape[1], self.dimension).astype(np.float32) * 2 - 1
            result += block @ signs
        return result / np.float32(np.sqrt(self.dimension))


def influence_scores(
    train: Sequence[np.ndarray], validation: Sequence[np.ndarray], subtasks: Sequence[str], rates: Sequence[float]
) -> np.ndarray:
    """Return the influence of each training example on the subtask that it helps most, (n,) float64.

    train, validation: for each checkpoint (n, d) and (m, d) projected gradients. subtasks: of each validation row.
    rates: learning rate of each checkpoint. A gradient of length 0 has cosine 0. Raises `UserError` for values that are
    not finite.
    """
    names = sorted(set(subtasks))
    total = np.zeros((len(train[0]), len(names)))
    for ours, theirs, rate in zip(train, validation, rates):
        if not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
            raise UserError("LESS: gradients that are not finite; lower the warm-up's learning rate")
        means = np.stack([theirs[[name == task for task in subtasks]].mean(axis=0) for name in names])
        total += rate * _unit(ours) @ _unit(means).T
    return total.max(axis=1)


def _unit(rows: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    return np.divide(rows, lengths, out=np.zeros(rows.shape), where=lengths > 0)
