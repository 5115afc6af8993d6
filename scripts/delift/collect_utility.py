"""Put the blocks of a utility matrix together and scale it to [0, 1] by its extremes (DELIFT, section 3.1).

Nothing is held in memory but one block. Targets without a response token are counted and reported.
"""

from __future__ import annotations

import argparse
import logging
from typing import Any, Iterator, Mapping, Sequence

import numpy as np

from scripts.common.errors import UserError, run_step
from scripts.common.files import read_json, write_json
from scripts.common.tensors import map_array
from scripts.data.schemas import read_examples
from scripts.delift.kernels import SCALES, SETS, split_columns, write_kernels

logger = logging.getLogger(__name__)

COLUMNS_AT_ONCE = 256
# Blocks of one matrix may be scored on different machines: the distances, in [0, 1], may differ in the last bits.
DISTANCE_TOLERANCE = 1e-3


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", required=True, help="candidates: instruction rows (JSON lines)")
    parser.add_argument("--reference", help="query set or data at hand, if it was scored")
    parser.add_argument("--targets", required=True, help="the targets that were scored")
    parser.add_argument("--blocks", required=True, nargs="+", help="outputs of score_utility, in order")
    parser.add_argument("--summaries", required=True, nargs="+", help="their summaries, in the same order")
    parser.add_argument("--scale", required=True, help=f"{' or '.join(SCALES)}: extremes of each kernel, or of both")
    parser.add_argument("--kernel-out", required=True, help="(targets, pool) float32 .npy in [0, 1]")
    parser.add_argument("--reference-kernel-out", help="(targets, reference); needed with --reference")
    parser.add_argument("--summary-out", required=True, help="JSON: sizes, extremes, counts, distances of the targets")
    return parser.parse_args(argv)


def read_blocks(blocks: Sequence[str], first: int, stop: int, n_targets: int) -> Iterator[np.ndarray]:
    """Yield columns `first` to `stop` of the blocks laid end to end, some at a time, (columns, targets)."""
    at = 0
    for path in blocks:
        block = map_array(path)
        if block.ndim != 2 or block.shape[1] != n_targets or block.dtype != np.float32:
            raise UserError(f"{path}: holds {block.dtype} {block.shape}, expected {n_targets} targets; score it again")
        low, high = max(first - at, 0), min(stop - at, len(block))
        for start in range(low, high, COLUMNS_AT_ONCE):
            yield np.asarray(block[start : min(high, start + COLUMNS_AT_ONCE)])
        at += len(block)


def check_summaries(summaries: Sequence[dict[str, Any]], ids: dict[str, list[str]], names: Sequence[str]) -> None:
    """Raise `UserError` unless the summaries are of one run, on these data, and complete."""
    for name, summary in zip(names, summaries):
        first = summaries[0]
        if summary["settings"] != first["settings"] or not _alike(summary["targets"], first["targets"]):
            raise UserError(f"{name}: other settings, model or targets than in {names[0]}; score both with the same")
        if [target["id"] for target in summary["targets"]] != ids["targets"]:
            raise UserError(f"{name}: its targets are not those of --targets; score that set again")
    split_columns([column for summary in summaries for column in summary["columns"]], ids, names[0])


def _alike(targets: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether two blocks have the same targets and, up to another machine's last bits, the same distances."""
    return len(targets) == len(others) and all(
        (one["id"], one["n_tokens"]) == (other["id"], other["n_tokens"])
        and abs(one["distance"] - other["distance"]) <= DISTANCE_TOLERANCE
        for one, other in zip(targets, others)
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Check the blocks, scale and write the kernels and the summary."""
    args = parse_args(argv)
    files = {"pool": args.pool, "reference": args.reference, "targets": args.targets}
    ids = {
        name: [row["id"] for row in read_examples(path, "instruction")] if path else [] for name, path in files.items()
    }
    if bool(args.reference) != bool(args.reference_kernel_out):
        raise UserError("--reference and --reference-kernel-out: give both or neither")
    if len(args.blocks) != len(args.summaries):
        raise UserError(f"--blocks: {len(args.blocks)}, --summaries: {len(args.summaries)}; give one for each")
    summaries = [read_json(path) for path in args.summaries]
    check_summaries(summaries, ids, args.summaries)
    n_targets = len(ids["targets"])
    sizes = {name: len(ids[name]) for name in SETS if ids[name]}
    starts = {"pool": 0, "reference": len(ids["pool"])}
    extremes = write_kernels(
        {
            name: lambda name=name: read_blocks(args.blocks, starts[name], starts[name] + sizes[name], n_targets)
            for name in sizes
        },
        sizes,
        n_targets,
        {"pool": args.kernel_out, "reference": args.reference_kernel_out},
        args.scale,
    )
    targets = summaries[0]["targets"]
    without = sum(target["n_tokens"] == 0 for target in targets)
    if without:
        logger.warning("%d of %d targets have no response token: they have no utility", without, n_targets)
    counts = {key: sum(summary[key] for summary in summaries) for key in summaries[0] if key.startswith("n_pairs")}
    write_json(
        args.summary_out,
        {
            "kind": "utility",
            "scale": args.scale,
            "n_targets": n_targets,
            "n_pool": len(ids["pool"]),
            "n_reference": len(ids["reference"]),
            "n_targets_without_response": without,
            "extremes": extremes,
            "settings": summaries[0]["settings"],
            "targets": targets,
            **counts,
        },
    )


if __name__ == "__main__":
    run_step(main)
