"""Kernels in files: .npy arrays (targets, candidates) of float32 in Fortran order, read where they lie."""

from __future__ import annotations

import numpy as np

from scripts.common.errors import UserError
from scripts.common.files import PathLike
from scripts.common.tensors import map_array


def read_kernel(path: PathLike, n_targets: int | None, n_candidates: int | None) -> np.ndarray:
    """Return a kernel file's array, (targets, candidates), not read into memory.

    n_targets, n_candidates: the sizes that it must have, None for any. Raises `UserError` if it has others.
    """
    kernel = map_array(path)
    if kernel.ndim != 2 or kernel.dtype != np.float32:
        raise UserError(f"{path}: holds {kernel.dtype} {kernel.shape}, not a float32 matrix; make it again")
    for what, found, wanted in zip(("targets", "candidates"), kernel.shape, (n_targets, n_candidates)):
        if wanted is not None and found != wanted:
            raise UserError(f"{path}: {found} {what} where {wanted} are expected; it belongs to other data")
    return kernel
