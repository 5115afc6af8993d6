"""Put the meta-training rows of many tasks into one file, and some of their development rows into another.

MEND, section 4.1 (meta-training on MetaICL's tasks).

# DEVIATION: the released code keeps the checkpoint that is best on the test tasks; here the choice is made on rows of
the meta-training tasks that are not trained on.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any, Iterator, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import write_jsonl
from scripts.data.schemas import read_examples

logger = logging.getLogger(__name__)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", required=True, type=Path, help="folder with one folder per task")
    parser.add_argument("--names", required=True, nargs="+", help="the tasks")
    parser.add_argument("--shots", required=True, type=int, help="k of the tasks' files")
    parser.add_argument("--seed", required=True, type=int, help="seed of the tasks' files")
    parser.add_argument("--dev-rows", required=True, type=int, help="development rows of a task, at most")
    parser.add_argument("--train-out", required=True, type=Path)
    parser.add_argument("--dev-out", required=True, type=Path)
    return parser.parse_args(argv)


def rows_of(folder: Path, names: Sequence[str], stem: str, split: str, limit: int | None) -> Iterator[dict[str, Any]]:
    """Yield the rows of every task's file, `limit` of each; without development rows the training rows' last ones.

    stem: "<k>_<seed>".
    """
    for name in names:
        path = folder / name / f"{name}_{stem}_{split}.jsonl"
        if split == "dev" and not path.is_file():  # fewer than k rows: MetaICL's files leave none over
            rows = read_examples(folder / name / f"{name}_{stem}_train.jsonl", "classification")
            yield from rows[-limit:] if limit else rows
            continue
        yield from read_examples(path, "classification")[:limit]


def main(argv: Sequence[str] | None = None) -> None:
    """Gather the rows."""
    args = parse_args(argv)
    if args.shots < 1:
        raise UserError(f"--shots: is {args.shots}; give a number from 1 on")
    if args.dev_rows < 1:
        raise UserError(f"--dev-rows: is {args.dev_rows}; give a number from 1 on")
    stem = f"{args.shots}_{args.seed}"
    write_jsonl(args.train_out, rows_of(args.tasks, args.names, stem, "train", None))
    write_jsonl(args.dev_out, rows_of(args.tasks, args.names, stem, "dev", args.dev_rows))
    logger.info("%d tasks gathered", len(args.names))


if __name__ == "__main__":
    run_step(main)
