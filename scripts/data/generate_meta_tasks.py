"""Write the raw files of the synthetic meta-training tasks and texts: the mini tier's stand-in for MetaICL and C4.

Equal seeds and sizes give equal bytes (`scripts.data.synthetic_meta_tasks`).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Sequence

from scripts.common.errors import run_step
from scripts.common.files import write_jsonl
from scripts.common.settings import parse_settings
from scripts.data.synthetic import Corpus, CorpusSettings
from scripts.data.synthetic_meta_tasks import MetaTaskSettings, meta_rows, meta_tasks, texts
from scripts.data.synthetic_words import build_world


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", required=True, help="JSON: synthetic.CorpusSettings, whose test tasks are left out")
    parser.add_argument("--settings", required=True, help="JSON: synthetic_meta_tasks.MetaTaskSettings")
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument("--train-out", required=True, type=Path, help="rows of the tasks to train on, JSON lines")
    parser.add_argument("--dev-out", required=True, type=Path, help="rows of the tasks to choose a checkpoint by")
    parser.add_argument("--texts-out", required=True, type=Path, help="texts to pre-train on, JSON lines")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Generate the tasks and texts and write their files."""
    args = parse_args(argv)
    settings = parse_settings(MetaTaskSettings, args.settings)
    world = build_world()
    known = Corpus(world, parse_settings(CorpusSettings, args.corpus, "--corpus"), args.seed).tasks()
    train = meta_tasks(world, "meta", settings.train_tasks, args.seed, known)
    dev = meta_tasks(world, "dev", settings.dev_tasks, args.seed, [*known, *train])
    write_jsonl(args.train_out, meta_rows(world, train, settings.rows_per_task, args.seed))
    write_jsonl(args.dev_out, meta_rows(world, dev, settings.rows_per_task, args.seed))
    write_jsonl(args.texts_out, texts(world, settings.texts, args.seed))


if __name__ == "__main__":
    run_step(main)
