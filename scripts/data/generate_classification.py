"""Write the raw files of the synthetic classification tasks that DDG distils (`scripts.data.synthetic_classification`).

Five tasks, each in the format of another real data set, so that everything behind the download runs as it does on real
data. Equal seeds and sizes give equal bytes.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Sequence

from scripts.common.errors import run_step
from scripts.common.files import write_text
from scripts.common.settings import parse_settings
from scripts.data.synthetic_classification import ClassificationSettings, labelled_rows, labelled_tasks, raw_text
from scripts.data.synthetic_words import build_world

SUFFIXES = {"sentiment": "tsv", "triple": "jsonl", "news": "csv", "pairs": "tsv", "intents": "csv"}


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="JSON: synthetic_classification.ClassificationSettings")
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument("--tasks-out", required=True, type=Path, help="folder for {task}_{train,test}.{tsv,jsonl,csv}")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Generate the tasks and write their files."""
    args = parse_args(argv)
    settings = parse_settings(ClassificationSettings, args.settings)
    world = build_world()
    for name, task in labelled_tasks(world, settings).items():
        for split in ("train", "test"):
            rows = labelled_rows(world, task, settings, split, args.seed)
            write_text(args.tasks_out / f"{name}_{split}.{SUFFIXES[name]}", raw_text(task, rows))


if __name__ == "__main__":
    run_step(main)
