"""Which rows a run trains, validates and tests on, drawn exactly as the released code draws them.

The released code draws through Hugging Face's `train_test_split`: a permutation from NumPy's `default_rng(seed)`, whose
first ceil(share * n) entries are the held-out rows and the rest, in that order, the kept ones. The same draws here need
no `datasets` package.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Mapping, NamedTuple, Sequence

import numpy as np

from scripts.common.errors import UserError

HOLD_OUT_SHARE = 0.1
HOLD_OUT_SEED = 0
SVAMP_TRAIN_SHARE = 0.8


class Splits(NamedTuple):
    """Rows of one run, in schema `distillation`."""

    train: list[dict[str, Any]]
    valid: list[dict[str, Any]]
    test: list[dict[str, Any]]


def train_test_indices(n: int, test_share: float, seed: int) -> tuple[list[int], list[int]]:
    """Return (kept, held-out) row numbers of Hugging Face's `train_test_split(test_size=test_share, seed=seed)`.

    The held-out part has ceil(test_share * n) rows. Raises `UserError` if either part would be empty.
    """
    n_test = math.ceil(test_share * n)
    if not 0 < n_test < n:
        raise UserError(
            f"train: {n} rows cannot be parted into {n - n_test} and {n_test}; give more rows or a larger share"
        )
    order = np.random.default_rng(seed).permutation(n).tolist()
    return order[n_test:], order[:n_test]


def subsample_indices(n: int, fraction: float, run: int) -> list[int]:
    """Return the row numbers that a run with this fraction of the training rows keeps; 1 keeps all in their order.

    Kept are n - ceil((1 - fraction) * n) rows, drawn anew for each run: fractions are not nested.
    """
    if not 0 < fraction <= 1:
        raise UserError(f"subsample: {fraction} is not above 0 and up to 1; give the share of the training rows to use")
    if fraction == 1:
        return list(range(n))
    return train_test_indices(n, 1 - fraction, run)[0]


def hold_out_indices(n: int, share: float = HOLD_OUT_SHARE, seed: int = HOLD_OUT_SEED) -> tuple[list[int], list[int]]:
    """Return (train, validation) row numbers for sets without validation rows of their own."""
    return train_test_indices(n, share, seed)


def svamp_indices(n: int) -> tuple[list[int], list[int]]:
    """Return (train, test) row numbers of SVAMP's own file: the released split is a fixed permutation of its rows."""
    order = np.random.RandomState(0).permutation(n).tolist()
    cut = int(SVAMP_TRAIN_SHARE * n)
    return order[:cut], order[cut:]


def make_splits(
    train: Sequence[Mapping[str, Any]],
    valid: Sequence[Mapping[str, Any]] | None,
    test: Sequence[Mapping[str, Any]],
    *,
    fraction: float,
    run: int,
) -> Splits:
    """Return the rows of one run: first the sub-sample is drawn, then, without `valid`, a tenth of it is held out.

    So a set without validation rows trains on nine tenths of the share it is given.
    """
    kept = [dict(train[i]) for i in subsample_indices(len(train), fraction, run)]
    if valid is not None:
        return Splits(kept, [dict(row) for row in valid], [dict(row) for row in test])
    own, held = hold_out_indices(len(kept))
    return Splits([kept[i] for i in own], [kept[i] for i in held], [dict(row) for row in test])


@dataclasses.dataclass(frozen=True)
class Run:
    """One student to be trained: its rows, its seed, where its labels come from and how much they weigh."""

    splits: Splits
    seed: int
    label_type: str
    alpha: float
