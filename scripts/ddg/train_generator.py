"""Stage A: pre-train the generator of class-conditioned text with the plain language-model loss."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Sequence

from scripts.common.errors import run_step
from scripts.common.progress import Progress
from scripts.common.seeding import derive_seed, seed_all
from scripts.common.step_parser import StepParser
from scripts.ddg.flags import add_compute_flags
from scripts.ddg.settings_steps import PretrainSettings
from scripts.ddg.texts import Task, read_task

if TYPE_CHECKING:
    import torch

    from scripts.ddg.generator import Generator

logger = logging.getLogger(__name__)


def pretrain(
    generator: Generator, task: Task, settings: PretrainSettings, seed: int, folder: Path, dtype: torch.dtype
) -> dict[str, Any]:
    """Train the generator in place and return its history: the loss of each step, nats.

    folder: where the running state goes if `settings.save_steps` > 0; a state found there is gone on from.
    """
    import torch

    from scripts.ddg.batches import Shuffled
    from scripts.ddg.generator import Writing, check_window, text_losses
    from scripts.ddg.optimizing import Stepper
    from scripts.ddg.runs import autocast, prefixed, under
    from scripts.lm.checkpoints import STATE, load_state, save_state

    check_window(generator, settings.max_tokens, "max_tokens")
    encoded = generator.encode(task.texts, task.labels, settings.max_tokens)
    writing = Writing(settings.loss_norm, settings.pad_multiple)
    stepper = Stepper(generator.model, settings.optimizer, settings.steps, "generator pre-training")
    batches = Shuffled(len(encoded), settings.batch_size, seed, "lm batches")
    losses: list[float] = []
    found = load_state(folder / STATE) if settings.save_steps else None
    if found is not None:
        generator.model.load_state_dict(under("model", found[0]))
        stepper.restore(under("optimizer", found[0]))
        losses = found[1]["losses"]
        logger.info("seed %d: going on from step %d", seed, stepper.done)
    generator.model.train()
    with Progress(settings.steps, "steps", done=stepper.done, parts=10) as progress:
        for step in range(stepper.done, settings.steps):
            torch.manual_seed(derive_seed(seed, "dropout", step))
            with autocast(generator.device, dtype):
                loss = text_losses(generator, [encoded[row] for row in batches.rows(step)], writing).mean()
            loss.backward()
            stepper.step()
            losses.append(round(float(loss.detach()), 6))
            if settings.save_steps and stepper.done % settings.save_steps == 0 and stepper.done < settings.steps:
                tensors = {**prefixed("model", generator.model.state_dict()), **prefixed("optimizer", stepper.state())}
                save_state(folder / STATE, tensors, {"losses": losses})
            progress.advance(1, {"seed": seed, "loss": losses[-1]})
    generator.model.eval()
    return {"losses": losses, "n_texts": len(encoded)}


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = StepParser(description=__doc__)
    parser.add_argument("--examples", required=True, help="training rows, canonical classification JSON lines")
    parser.add_argument("--model", required=True, help="causal language model: folder, or hub id in the local cache")
    add_compute_flags(parser)
    parser.add_settings(PretrainSettings)
    parser.add_argument("--seeds", required=True, nargs="+", type=int, help="one generator for each")
    parser.add_argument("--checkpoints", required=True, help="folder for what a killed job goes on from")
    parser.add_argument("--generators-out", required=True, help="folder: seed_{n}/, model and tokenizer")
    parser.add_argument("--history-out", required=True, help="JSON: losses by seed")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Pre-train a generator for each seed."""
    args = parse_args(argv)
    settings: PretrainSettings = args.settings
    task = read_task(args.examples, settings.text_columns)
    from scripts.ddg.generator import prepare_generator
    from scripts.ddg.runs import run_seeds
    from scripts.lm.checkpoints import digest_of_examples, digest_of_model
    from scripts.lm.load import choose_device, choose_dtype, load_model

    dtype = choose_dtype(args.dtype, choose_device(args.device))

    def fresh(seed: int) -> Generator:
        seed_all(seed)
        loaded = load_model(args.model, family="causal", dtype="float32", device=args.device, threads=args.threads)
        return prepare_generator(loaded, task, seed)

    examples = digest_of_examples([{"text": text, "label": [str(own)]} for text, own in zip(task.texts, task.labels)])
    model = digest_of_model(fresh(0).model)

    def work(seed: int, folder: Path) -> tuple[Generator, dict[str, Any]]:
        generator = fresh(seed)
        return generator, pretrain(generator, task, settings, seed, folder, dtype)

    run_seeds(
        args.seeds,
        settings,
        args.checkpoints,
        lambda seed: {"stage": "pretrain", "examples": examples, "model": model, "dtype": str(dtype)},
        work,
        args.generators_out,
        args.history_out,
    )


if __name__ == "__main__":
    run_step(main)
