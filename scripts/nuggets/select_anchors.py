"""Choose the anchors ("predefined tasks") that candidates are scored against (NUGGETS, section on the task set).

`kmeans` takes the real example nearest to each of n cluster centres, `random` draws n examples, `given` takes the
first n, or all, as they stand.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
from typing import Sequence

import numpy as np

from scripts.common.errors import UserError, run_step
from scripts.common.seeding import generator
from scripts.common.settings import check_choice, parse_settings
from scripts.common.tensors import read_embeddings
from scripts.data.schemas import read_examples, write_examples
from scripts.selection.random_subset import random_subset

logger = logging.getLogger(__name__)

WAYS = ("kmeans", "random", "given")


@dataclasses.dataclass(frozen=True)
class AnchorSet:
    """by: `kmeans`, `random` or `given`; n: number of anchors, None (all) for `given` only."""

    by: str
    n: int | None = None

    def __post_init__(self) -> None:
        check_choice("anchor set: by", self.by, WAYS)
        if self.n is None and self.by != "given":
            raise UserError(f"anchor set: by {self.by} needs a number; give n")
        if self.n is not None and (isinstance(self.n, bool) or not isinstance(self.n, int) or self.n < 1):
            raise UserError(f"anchor set: n is {self.n}; give a whole number of at least 1")


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's settings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", required=True, help="what anchors are drawn from: instruction rows (JSON lines)")
    parser.add_argument("--embeddings", help="the pool's embeddings (safetensors); kmeans only")
    parser.add_argument("--anchor-set", required=True, help='JSON: {"by": "kmeans" | "random" | "given", "n": 100}')
    parser.add_argument("--seed", required=True, type=int, help="of random draws; K-means has the paper's seed 0")
    parser.add_argument("--threads", required=True, type=int, help="CPU threads")
    parser.add_argument("--anchors-out", required=True, help="the chosen rows, in the pool's order (JSON lines)")
    return parser.parse_args(argv)


def choose(n_pool: int, anchor_set: AnchorSet, embeddings: np.ndarray | None, seed: int, threads: int) -> np.ndarray:
    """Return the anchors' rows, ascending.

    embeddings: (n_pool, d), for kmeans. Raises `UserError` if more anchors are asked for than there are rows, or if
    kmeans has no embeddings.
    """
    n = n_pool if anchor_set.n is None else anchor_set.n
    if n > n_pool:
        raise UserError(f"anchor set: n is {n}, but the anchor pool has {n_pool} rows; lower n or give a larger pool")
    if anchor_set.by == "given":
        return np.arange(n)
    if anchor_set.by == "random":
        return random_subset(n_pool, n, generator(seed, "nuggets", "anchors", n))
    if embeddings is None:
        raise UserError("anchor set: by kmeans needs the pool's embeddings; give --embeddings")
    from scripts.selection.kmeans import kmeans_representatives

    return kmeans_representatives(embeddings, n, random_state=0, threads=threads)


def main(argv: Sequence[str] | None = None) -> None:
    """Choose anchors and write their rows."""
    args = parse_args(argv)
    anchor_set = parse_settings(AnchorSet, args.anchor_set, "--anchor-set")
    pool = read_examples(args.pool, "instruction")
    embeddings = None
    if args.embeddings is not None and anchor_set.by == "kmeans":
        embeddings = read_embeddings(args.embeddings, [row["id"] for row in pool], args.pool)
    chosen = choose(len(pool), anchor_set, embeddings, args.seed, args.threads)
    logger.info("%d anchors of %d rows by %s", len(chosen), len(pool), anchor_set.by)
    empty = [pool[row]["id"] for row in chosen if not pool[row]["output"].strip()]
    if len(empty) == len(chosen):
        raise UserError(f"{args.pool}: not one of the {len(chosen)} anchors has an answer; give rows with an output")
    if empty:
        logger.warning(
            "%d of %d anchors have no answer and can never count as improved (first id '%s')",
            len(empty),
            len(chosen),
            empty[0],
        )
    write_examples(args.anchors_out, [pool[row] for row in chosen], "instruction")


if __name__ == "__main__":
    run_step(main)
