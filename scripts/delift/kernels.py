"""Kernels in files: scaled to [0, 1] by their smallest and largest entry, block by block (DELIFT, section 3.1).

A kernel file is a .npy array (targets, candidates) of float32 in Fortran order: what one candidate offers lies
together, so that kernels larger than memory can be read where they lie.
"""

from __future__ import annotations

import math
from typing import Callable, Iterator, Mapping, Sequence

import numpy as np

from scripts.common.checksums import write_beside
from scripts.common.errors import UserError
from scripts.common.files import PathLike, atomic_path
from scripts.common.settings import check_choice
from scripts.selection.facility_location import new_kernel

SCALES = ("own", "joint")
SETS = ("pool", "reference")

Blocks = Callable[[], Iterator[np.ndarray]]
"""Gives a kernel's columns in order, some at a time: (columns, targets) float32; can be called again."""


def write_kernels(
    sets: Mapping[str, Blocks], sizes: Mapping[str, int], n_targets: int, paths: Mapping[str, PathLike], scale: str
) -> dict[str, dict[str, float]]:
    """Scale the kernels of pool and reference set to [0, 1] and write them; return their extremes before scaling.

    scale: `own` = each by its own extremes, as the released code does; `joint` = both by the common ones, so that an
    entry means the same in both. Raises `UserError` for entries that are not finite and for a constant kernel.
    """
    check_choice("--scale", scale, SCALES)
    extremes = {name: _extremes(blocks(), name) for name, blocks in sets.items()}
    if scale == "joint":
        low, high = min(low for low, _ in extremes.values()), max(high for _, high in extremes.values())
        bounds = dict.fromkeys(sets, (low, high))
    else:
        bounds = extremes
    for name, (low, high) in bounds.items():
        if not low < high:
            raise UserError(
                f"{name} kernel: all entries are {low:g}, so nothing can be preferred; check that the examples differ"
                " and that the targets have responses"
            )
    for name, blocks in sets.items():
        _write(blocks(), paths[name], (n_targets, sizes[name]), *bounds[name])
    return {name: {"minimum": float(low), "maximum": float(high)} for name, (low, high) in extremes.items()}


def _extremes(blocks: Iterator[np.ndarray], name: str) -> tuple[np.float32, np.float32]:
    low, high = np.float32(math.inf), np.float32(-math.inf)
    for block in blocks:
        if not np.isfinite(block).all():
            raise UserError(f"{name} kernel: it holds values that are not finite; score it again in another dtype")
        low, high = min(low, block.min()), max(high, block.max())
    return low, high


def _write(
    blocks: Iterator[np.ndarray], path: PathLike, shape: tuple[int, int], low: np.float32, high: np.float32
) -> None:
    with atomic_path(path) as temporary:
        kernel = new_kernel(str(temporary), *shape)
        at = 0
        for block in blocks:
            kernel[:, at : at + len(block)] = ((block - low) / (high - low)).T
            at += len(block)
        kernel.flush()
        if at != shape[1]:
            raise UserError(f"{path}: {at} of {shape[1]} columns were given; score the missing ones")
        write_beside(path, sum_of=temporary)


def split_columns(columns: Sequence[Sequence[str]], ids: Mapping[str, Sequence[str]], source: PathLike) -> None:
    """Raise `UserError` unless `columns`, (set, id) each, are all rows of pool and reference set in order."""
    wanted = [[name, row] for name in SETS for row in ids.get(name, ())]
    for number, (found, right) in enumerate(zip(columns, wanted)):
        if list(found) != right:
            raise UserError(
                f"{source}: column {number} is {found[0]} '{found[1]}', expected {right[0]} '{right[1]}'; give all"
                " blocks of one run, in order"
            )
    if len(columns) != len(wanted):
        raise UserError(f"{source}: {len(columns)} columns of {len(wanted)}; score the missing blocks")
