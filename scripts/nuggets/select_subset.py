"""Choose the part of a pool that is trained on, by one method, for all seeds at once (NUGGETS, selection).

`golden_score` with `above` (strictly) or `at_most` takes the paper's thresholds; with `order` highest or lowest a share
of the pool. Baselines and all that is known of each way: `scripts.selection.methods`. Methods without chance write the
same rows for every seed. Rows keep the pool's order; ties in a score go to the row that comes first in the pool.
"""

from __future__ import annotations

import argparse
import logging
from typing import Any, Mapping, Sequence

from scripts.common.errors import run_step
from scripts.common.files import whole_folder, write_jsonl
from scripts.common.settings import parse_settings
from scripts.data.schemas import read_examples
from scripts.selection.choosing import Method, Sources
from scripts.selection.ways import choose

logger = logging.getLogger(__name__)

FLAGS = {
    "golden_scores": "--scores",
    "difficulty": "--difficulty",
    "ifd": "--difficulty",
    "embeddings": "--embeddings",
}
"""The flag that names each material a way may need."""


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's settings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", required=True, help="instruction rows (JSON lines)")
    parser.add_argument("--scores", help="golden scores of the pool (CSV); by golden_score only")
    parser.add_argument("--difficulty", help="difficulty of the pool (CSV); by perplexity, ifd and length only")
    parser.add_argument("--embeddings", help="embeddings of the pool (safetensors); by k_center only")
    parser.add_argument("--name", required=True, help="the method's name, for messages")
    parser.add_argument("--method", required=True, help='JSON: {"by": ..., "above" | "at_most" | "order": ...}')
    parser.add_argument(
        "--size-fraction", required=True, type=float, help="share of the pool, where no threshold is set"
    )
    parser.add_argument("--seeds", required=True, nargs="+", type=int, help="one subset for each")
    parser.add_argument("--subsets-out", required=True, help="folder with one file seed_{seed}.jsonl for each seed")
    return parser.parse_args(argv)


def write_subsets(folder: str, pool: Sequence[Mapping[str, Any]], subsets: Mapping[int, Sequence[int]]) -> None:
    """Write one file a seed; they become `folder`, whole or not at all."""
    with whole_folder(folder) as target:
        for seed, rows in subsets.items():
            write_jsonl(target / f"seed_{seed}.jsonl", (pool[row] for row in rows))


def main(argv: Sequence[str] | None = None) -> None:
    """Choose and write the subsets of one method."""
    args = parse_args(argv)
    method = parse_settings(Method, args.method, "--method")
    pool = read_examples(args.pool, "instruction")
    materials = {material: getattr(args, flag[2:]) for material, flag in FLAGS.items()}
    sources = Sources(args.pool, tuple(row["id"] for row in pool), "nuggets", materials, FLAGS)
    choices = choose(sources, method, [args.size_fraction], args.seeds, "--size-fraction")
    subsets = {seed: sorted(choice.rows) for (_, seed), choice in choices.items()}
    for seed, rows in subsets.items():
        logger.info("%s, seed %d: %d of %d rows", args.name, seed, len(rows), len(pool))
    write_subsets(args.subsets_out, pool, subsets)


if __name__ == "__main__":
    run_step(main)
