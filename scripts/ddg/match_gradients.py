"""Stage B: gradient matching of the generators of all seeds (see `scripts.ddg.matching`)."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Sequence

from scripts.common.errors import run_step
from scripts.common.seeding import seed_all
from scripts.common.step_parser import StepParser
from scripts.ddg.flags import add_compute_flags
from scripts.ddg.settings_steps import MatchSettings
from scripts.ddg.texts import read_task

if TYPE_CHECKING:
    from scripts.ddg.generator import Generator


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = StepParser(description=__doc__)
    parser.add_argument("--examples", required=True, help="training rows, canonical classification JSON lines")
    parser.add_argument("--generators", required=True, help="folder of pre-trained generators, seed_{n}/")
    parser.add_argument("--learner", required=True, help="encoder: folder, or hub id in the local cache")
    add_compute_flags(parser)
    parser.add_settings(MatchSettings)
    parser.add_argument("--seeds", required=True, nargs="+", type=int, help="train the generator of each")
    parser.add_argument("--checkpoints", required=True, help="folder for what a killed job goes on from")
    parser.add_argument("--generators-out", required=True, help="folder: seed_{n}/, model and tokenizer")
    parser.add_argument("--history-out", required=True, help="JSON: cosine and losses of each step, by seed")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Match gradients for each seed."""
    args = parse_args(argv)
    from scripts.ddg.generator import load_generator
    from scripts.ddg.learners import load_learner
    from scripts.ddg.matching import Matcher, representatives_of
    from scripts.ddg.runs import run_seeds
    from scripts.lm.checkpoints import digest_of_examples, digest_of_model
    from scripts.lm.load import choose_device, choose_dtype

    settings: MatchSettings = args.settings
    task = read_task(args.examples, settings.text_columns)
    dtype = choose_dtype(args.dtype, choose_device(args.device))
    examples = digest_of_examples([{"text": text, "label": [str(own)]} for text, own in zip(task.texts, task.labels)])
    options = {"device": args.device, "threads": args.threads}
    # The seed of weights that the encoder's file lacks is the same for all seeds: one pre-trained learner.
    untrained = load_learner(args.learner, task.n_classes, settings.learner.pooling, seed=0, **options)
    digest = digest_of_model(untrained)
    representatives = representatives_of(untrained, task, settings, args.threads) if settings.representative else None

    def folder_of(seed: int) -> Path:
        return Path(args.generators) / f"seed_{seed}"

    def key(seed: int) -> dict[str, Any]:
        generator = digest_of_model(load_generator(folder_of(seed), task, **options).model)
        return {
            "stage": "match", "examples": examples, "generator": generator, "learner": digest, "dtype": str(dtype)
        }  # fmt: skip

    def work(seed: int, folder: Path) -> tuple[Generator, dict[str, Any]]:
        generator = load_generator(folder_of(seed), task, **options)
        learner = load_learner(args.learner, task.n_classes, settings.learner.pooling, seed=0, **options)
        seed_all(seed)
        shared = {"representatives": representatives, "threads": args.threads, "dtype": dtype}
        return generator, Matcher(generator, learner, task, settings, seed, **shared).run(folder)

    run_seeds(args.seeds, settings, args.checkpoints, key, work, args.generators_out, args.history_out)


if __name__ == "__main__":
    run_step(main)
