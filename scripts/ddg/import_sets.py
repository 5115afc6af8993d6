"""Take released sets (DiLM's JSON lines) in the place of trained ones: the path that skips all training."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Sequence

from scripts.common.checksums import check_beside
from scripts.common.errors import UserError, run_step
from scripts.common.files import whole_folder
from scripts.data.label_names import write_label_names
from scripts.ddg.distilled import read_set, set_path, write_set

logger = logging.getLogger(__name__)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--places", required=True, nargs="+", help="SEED/DPC/DRAW of each file, e.g. 42/5/0")
    parser.add_argument("--files", required=True, nargs="+", help="JSON lines or parquet, in the same order")
    parser.add_argument("--labels", nargs="+", help="names of the classes 0, 1, ...; needed")
    parser.add_argument("--text-columns", required=True, nargs="+", help="names of the text columns")
    parser.add_argument("--sets-out", required=True, type=Path, help="folder: seed_{n}/dpc_{d}/draw_{k}.jsonl")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read, check and place every set."""
    args = parse_args(argv)
    if not args.labels:
        raise UserError(
            "--labels: is missing, and released sets hold class numbers only; list the names under 'labels' of the "
            "data set in the registry"
        )
    if len(args.places) != len(args.files):
        raise UserError(f"--files: {len(args.files)} for {len(args.places)} places; give one for each")
    with whole_folder(args.sets_out) as temporary:
        write_label_names(temporary, args.labels)
        for place, path in zip(args.places, args.files):
            parts = place.split("/")
            if len(parts) != 3 or not all(part.isdigit() for part in parts):
                raise UserError(f"--places {place}: expected SEED/DPC/DRAW, three numbers")
            seed, dpc, draw = map(int, parts)
            check_beside(path)
            given = read_set(path, args.text_columns, len(args.labels))
            for label, name in enumerate(args.labels):
                have = given.labels.count(label)
                if have < dpc:
                    raise UserError(f"{path}: class '{name}' has {have} texts, {dpc} are wanted; correct the place")
            write_set(set_path(temporary, seed, dpc, draw), given)
    logger.info("%d sets taken over", len(args.files))


if __name__ == "__main__":
    run_step(main)
