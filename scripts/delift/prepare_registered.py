"""Turn one part of a dataset in DELIFT's own registry form into canonical instruction rows.

The counterpart of the dataset half of the original `create_embeddings.py`; see `scripts.delift.registry`.
"""

from __future__ import annotations

import argparse
import logging
from typing import Sequence

from scripts.common.errors import run_step
from scripts.data.preparing import sample
from scripts.data.schemas import write_examples
from scripts.delift.registry import PARTS, find_entry, read_part

logger = logging.getLogger(__name__)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--registry", required=True, help="huggingface_datasets.json or benchmark_datasets.json")
    parser.add_argument("--dataset", required=True, help="a dataset of that file, by its id or the id's last part")
    parser.add_argument("--part", required=True, help=", ".join(PARTS))
    parser.add_argument("--mirror", help="folder with the datasets' files; without it they are fetched from the hub")
    parser.add_argument("--downloads", required=True, help="folder for what is fetched")
    parser.add_argument("--limit", type=int, help="rows to draw at random; all without it")
    parser.add_argument("--seed", required=True, type=int, help="of that draw")
    parser.add_argument("--examples-out", required=True, help="JSONL, schema instruction")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read, sample, write."""
    args = parse_args(argv)
    rows = read_part(find_entry(args.registry, args.dataset), args.part, args.mirror, args.downloads)
    kept = sample(rows, args.limit, args.seed)
    write_examples(args.examples_out, kept, "instruction")
    empty = sum(not row["output"].strip() for row in kept)
    if empty:
        logger.warning("%d of %d rows have an empty response", empty, len(kept))
    logger.info("%s: %d of %d rows", args.examples_out, len(kept), len(rows))


if __name__ == "__main__":
    run_step(main)
