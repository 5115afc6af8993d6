"""Turn embeddings into the model-independent kernel of DELIFT (SE): how alike are a candidate and a target?

cosine: of the two vectors. euclidean: the negative distance (the released README speaks of it). Both are scaled to
[0, 1] by their extremes, like the utility kernel, and written to files of the same form.
"""

from __future__ import annotations

import argparse
from typing import Any, Iterator, Sequence

import numpy as np

from scripts.common.errors import UserError, run_step
from scripts.common.files import write_json
from scripts.common.settings import check_choice
from scripts.common.tensors import read_tensors
from scripts.delift.kernels import SCALES, write_kernels

METRICS = ("cosine", "euclidean")
COLUMNS_AT_ONCE = 256


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", required=True, help="embeddings of the targets (safetensors)")
    parser.add_argument("--pool", required=True, help="embeddings of the candidates")
    parser.add_argument("--reference", help="embeddings of the query set or the data at hand")
    parser.add_argument("--metric", required=True, help=" or ".join(METRICS))
    parser.add_argument("--scale", required=True, help=f"{' or '.join(SCALES)}: extremes of each kernel, or of both")
    parser.add_argument("--kernel-out", required=True, help="(targets, pool) float32 .npy in [0, 1]")
    parser.add_argument("--reference-kernel-out", help="(targets, reference); needed with --reference")
    parser.add_argument("--summary-out", required=True, help="JSON: sizes and extremes")
    return parser.parse_args(argv)


def similarities(candidates: np.ndarray, targets: np.ndarray, metric: str) -> Iterator[np.ndarray]:
    """Yield how alike each candidate is to every target, some candidates at a time, (candidates, targets) float32.

    Raises `UserError` where a cosine has no meaning (a vector of length 0) or the widths differ.
    """
    if candidates.shape[1] != targets.shape[1]:
        raise UserError(
            f"embeddings: {candidates.shape[1]} and {targets.shape[1]} wide; embed both with the same model"
        )
    if metric == "cosine":
        candidates, targets = _unit(candidates), _unit(targets)
    for start in range(0, len(candidates), COLUMNS_AT_ONCE):
        block = candidates[start : start + COLUMNS_AT_ONCE].astype(np.float64)
        products = block @ targets.T.astype(np.float64)
        if metric == "euclidean":
            squares = (block**2).sum(axis=1)[:, None] + (targets.astype(np.float64) ** 2).sum(axis=1)[None]
            products = -np.sqrt(np.maximum(squares - 2 * products, 0.0))
        yield products.astype(np.float32)


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    if not (lengths > 0).all():
        raise UserError("embeddings: a vector of length 0 has no cosine; take metric euclidean or embed again")
    return vectors / lengths


def main(argv: Sequence[str] | None = None) -> None:
    """Compute and write the kernels."""
    args = parse_args(argv)
    check_choice("--metric", args.metric, METRICS)
    if bool(args.reference) != bool(args.reference_kernel_out):
        raise UserError("--reference and --reference-kernel-out: give both or neither")
    sets: dict[str, np.ndarray] = {}
    ids: dict[str, Any] = {}
    for name, path in (("targets", args.targets), ("pool", args.pool), ("reference", args.reference)):
        if path:
            arrays, ids[name] = read_tensors(path, "embeddings", note="ids")
            sets[name] = arrays["embeddings"]
    targets = sets.pop("targets")
    extremes = write_kernels(
        {name: lambda name=name: similarities(sets[name], targets, args.metric) for name in sets},
        {name: len(vectors) for name, vectors in sets.items()},
        len(targets),
        {"pool": args.kernel_out, "reference": args.reference_kernel_out},
        args.scale,
    )
    write_json(
        args.summary_out,
        {
            "kind": "similarity",
            "metric": args.metric,
            "scale": args.scale,
            "n_targets": len(targets),
            "n_pool": len(sets["pool"]),
            "n_reference": len(sets.get("reference", ())),
            "extremes": extremes,
        },
    )


if __name__ == "__main__":
    run_step(main)
