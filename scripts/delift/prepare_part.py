"""Cut one part of a dataset pair out of a canonical split: pool, reference set, validation or test set (DELIFT, data).

Where a dataset has a single split, its parts follow one another in order (70 % pool, 20 % validation, 10 % test).
"""

from __future__ import annotations

import argparse
import logging
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.seeding import generator
from scripts.data.schemas import read_examples, write_examples

logger = logging.getLogger(__name__)


def cut(
    rows: Sequence[Mapping[str, Any]], first: float, last: float, limit: int | None, seed: int, source: str
) -> list[Mapping[str, Any]]:
    """Return the rows between two shares of the whole, at most `limit` of them drawn at random, in their order.

    Raises `UserError` if nothing is left.
    """
    if not 0 <= first < last <= 1:
        raise UserError(f"{source}: a part from {first:g} to {last:g} is none; give 0 <= from < to <= 1")
    # Rounded once: 0.7 * 10 is 7.000000000000001 or 6.999999999999999 elsewhere.
    start, stop = (int(round(share * len(rows), 6)) for share in (first, last))
    part = rows[start:stop]
    if not part:
        raise UserError(f"{source}: no row between {first:g} and {last:g} of {len(rows)} rows; widen the part")
    if limit is None or limit >= len(part):
        return list(part)
    drawn = sorted(generator(seed, "delift", "limit").choice(len(part), limit, replace=False).tolist())
    return [part[place] for place in drawn]


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", required=True, help="JSONL, schema instruction: the canonical split")
    parser.add_argument("--first", type=float, required=True, help="share of the rows where the part begins")
    parser.add_argument("--last", type=float, required=True, help="share of the rows where it ends")
    parser.add_argument("--limit", type=int, help="rows to draw at random from the part; all without it")
    parser.add_argument("--expected", type=int, help="rows that the part must have: the kernel's jobs rely on them")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--part-out", required=True, help="JSONL, schema instruction")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Cut and write."""
    args = parse_args(argv)
    rows = read_examples(args.rows, "instruction")
    part = cut(rows, args.first, args.last, args.limit, args.seed, args.rows)
    if args.expected is not None and len(part) != args.expected:
        raise UserError(
            f"{args.rows}: the part has {len(part)} rows, but {args.expected} are announced; write {len(part)} under"
            " delift.pairs.<pair>.rows (with delift.limits null or no smaller)"
        )
    n = write_examples(args.part_out, part, "instruction")
    logger.info("%s: %d of %d rows", args.part_out, n, len(rows))


if __name__ == "__main__":
    run_step(main)
