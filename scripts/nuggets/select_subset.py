"""Choose the part of a pool that is trained on, by one method, for all seeds at once (NUGGETS, selection).

`golden_score` with `above` (strictly) or `at_most` takes the paper's thresholds; with `order` highest or lowest a share
of the pool. Baselines: none, all, random, perplexity, ifd, length, k_center. Methods without chance write the same rows
for every seed. Rows keep the pool's order; ties in a score go to the row that comes first in the pool.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
from typing import Any, Callable, Mapping, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import read_csv, whole_folder, write_jsonl
from scripts.common.seeding import generator
from scripts.common.settings import check_choice, parse_settings
from scripts.common.tensors import read_embeddings
from scripts.data.schemas import read_examples
from scripts.nuggets.racing import check_threshold
from scripts.nuggets.selection_quality import subset_size

logger = logging.getLogger(__name__)

ORDERS = ("highest", "lowest")


@dataclasses.dataclass(frozen=True)
class Method:
    """by: a key of WAYS; above, at_most: thresholds of the golden score; order: which end of a score is taken."""

    by: str
    above: float | None = None
    at_most: float | None = None
    order: str | None = None

    def __post_init__(self) -> None:
        check_choice("method: by", self.by, list(WAYS))
        for key in ("above", "at_most"):
            if getattr(self, key) is not None:
                if self.by != "golden_score":
                    raise UserError(f"method: {key} is a threshold of the golden score; by {self.by} takes none")
                check_threshold(f"method: {key}", getattr(self, key))
        if self.order is not None:
            check_choice("method: order", self.order, ORDERS)
        if self.by == "golden_score" and self.order is None and self.above is None and self.at_most is None:
            raise UserError("method: by golden_score needs above, at_most or order; give one")
        if self.by in ("perplexity", "ifd", "length") and self.order is None:
            raise UserError(f"method: by {self.by} needs an order; give highest or lowest")
        if self.by in ("none", "all", "random", "k_center") and self.order is not None:
            raise UserError(f"method: by {self.by} has no order; leave it out")


@dataclasses.dataclass(frozen=True)
class Sources:
    """Where a method's scores come from; paths are None where the command line names none."""

    pool: str
    ids: tuple[str, ...]
    scores: str | None
    difficulty: str | None
    embeddings: str | None


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


def best(values: Sequence[float | None], n: int, order: str) -> list[int]:
    """Return the n rows with the highest or lowest values, best first, ties to the lower row; None is never taken."""
    sign = -1.0 if order == "highest" else 1.0
    known = [row for row, value in enumerate(values) if value is not None]
    return sorted(known, key=lambda row: (sign * values[row], row))[:n]  # type: ignore[operator]


def by_golden_score(sources: Sources, method: Method, fraction: float, seed: int) -> list[int]:
    """Rows whose score is above `above` and at most `at_most`; with an order, the given share from that end of them."""
    path = _needed(sources.scores, "golden_score", "--scores")
    rows = _read_column(path, sources, ("id", "golden_score", "n_improved", "n_anchors"))
    # The fraction itself, not its decimal form: 85 of 100 is compared with 0.85 as when it was scored.
    scores = [int(row["n_improved"]) / int(row["n_anchors"]) if row["golden_score"] else None for row in rows]
    low = -1.0 if method.above is None else method.above
    high = 1.0 if method.at_most is None else method.at_most
    kept = [score if score is not None and low < score <= high else None for score in scores]
    n = len(kept) if method.order is None else subset_size(len(kept), fraction)
    return best(kept, n, method.order or "highest")


def by_difficulty(sources: Sources, method: Method, fraction: float, seed: int) -> list[int]:
    """The given share of the rows with the highest or lowest perplexity, IFD or length."""
    path = _needed(sources.difficulty, method.by, "--difficulty")
    rows = _read_column(path, sources, ("id", method.by))
    values = [float(row[method.by]) if row[method.by] else None for row in rows]
    n = subset_size(len(values), fraction)
    if method.by != "ifd" or method.order != "highest":
        return best(values, n, str(method.order))
    # As in the literature, an answer with an IFD of 1 or more does not follow from its instruction: never "hard".
    chosen = best([value if value is not None and value < 1 else None for value in values], n, "highest")
    if len(chosen) < n:
        logger.warning("only %d rows have an IFD below 1; %d were asked for", len(chosen), n)
    return chosen


def by_random(sources: Sources, method: Method, fraction: float, seed: int) -> list[int]:
    """The given share of the rows, drawn anew for each seed."""
    from scripts.selection.random_subset import random_subset

    n = len(sources.ids)
    return random_subset(n, subset_size(n, fraction), generator(seed, "nuggets", "random subset")).tolist()


def by_k_center(sources: Sources, method: Method, fraction: float, seed: int) -> list[int]:
    """The given share of the rows, each the farthest from those before it (greedy k-center on the embeddings)."""
    from scripts.selection.k_centers import k_centers

    path = _needed(sources.embeddings, "k_center", "--embeddings")
    return k_centers(read_embeddings(path, list(sources.ids), sources.pool), subset_size(len(sources.ids), fraction))


WAYS: Mapping[str, Callable[[Sources, Method, float, int], list[int]]] = {
    "none": lambda sources, method, fraction, seed: [],
    "all": lambda sources, method, fraction, seed: list(range(len(sources.ids))),
    "golden_score": by_golden_score,
    "perplexity": by_difficulty,
    "ifd": by_difficulty,
    "length": by_difficulty,
    "random": by_random,
    "k_center": by_k_center,
}
RANDOM_WAYS = ("random",)  # drawn anew for each seed; all others are chosen once


def select(sources: Sources, method: Method, fraction: float, seeds: Sequence[int]) -> dict[int, list[int]]:
    """Return the chosen rows, ascending, for each seed."""
    subsets: dict[int, list[int]] = {}
    for seed in seeds:
        if subsets and method.by not in RANDOM_WAYS:
            subsets[seed] = subsets[seeds[0]]
        else:
            subsets[seed] = sorted(WAYS[method.by](sources, method, fraction, seed))
    return subsets


def _needed(path: str | None, by: str, flag: str) -> str:
    if path is None:
        raise UserError(f"method: by {by} needs {flag}; give it")
    return path


def _read_column(path: str, sources: Sources, columns: Sequence[str]) -> list[dict[str, str]]:
    """Return a table's rows in the pool's order. Raises `UserError` if it belongs to another pool."""
    rows = read_csv(path, columns)
    if [row["id"] for row in rows] != list(sources.ids):
        raise UserError(f"{path}: its ids are not those of {sources.pool}; score that pool again")
    return rows


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
    sources = Sources(args.pool, tuple(row["id"] for row in pool), args.scores, args.difficulty, args.embeddings)
    subsets = select(sources, method, args.size_fraction, args.seeds)
    for seed, rows in subsets.items():
        logger.info("%s, seed %d: %d of %d rows", args.name, seed, len(rows), len(pool))
    write_subsets(args.subsets_out, pool, subsets)


if __name__ == "__main__":
    run_step(main)
