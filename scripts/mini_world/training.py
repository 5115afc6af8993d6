"""What the trainers of the mini models share: optimiser, learning rate, a loop that resumes, the command line."""

from __future__ import annotations

import abc
import argparse
import dataclasses
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Sequence

from scripts.common.errors import UserError
from scripts.common.files import to_json, write_jsonl
from scripts.common.seeding import seed_all
from scripts.lm.loop import check_finite, optimizer_tensors, restore_optimizer, update_weights

if TYPE_CHECKING:
    import torch


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """Settings of every training run.

    steps: training steps; learning_rate: its peak; warmup_steps; decay_share: last share of the steps, over which the
    rate falls to `floor` of its peak; weight_decay, betas: of AdamW; clip: longest gradient; evaluate_every: steps
    between points of the curve; checkpoint_every: steps between checkpoints.
    """

    steps: int
    learning_rate: float
    warmup_steps: int
    decay_share: float
    floor: float
    weight_decay: float
    betas: list[float]
    clip: float
    evaluate_every: int
    checkpoint_every: int


def rate(step: int, settings: TrainingSettings) -> float:
    """Return the learning rate of a step (counted from 0): rise, plateau, linear fall."""
    start = settings.steps * (1 - settings.decay_share)
    factor = min(1.0, (step + 1) / max(1, settings.warmup_steps))
    if step > start:
        factor *= 1 - (1 - settings.floor) * (step - start) / max(1, settings.steps - start)
    return settings.learning_rate * factor


def mean_losses(losses: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the mean of each kind of loss over the steps that have it, in nats, under its name in the curve."""
    kinds = sorted({kind for step in losses for kind in step})
    found = {kind: [step[kind] for step in losses if kind in step] for kind in kinds}
    return {f"loss_{kind}": round(sum(values) / len(values), 4) for kind, values in found.items()}


def make_optimizer(model: torch.nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """Return AdamW; vectors (norms, biases) do not decay."""
    import torch

    decayed = [p for p in model.parameters() if p.dim() > 1]
    plain = [p for p in model.parameters() if p.dim() == 1]
    groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    betas = (settings.betas[0], settings.betas[1])
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=betas, fused=True)


class TrainingRun(abc.ABC):
    """A training run that can be put down and taken up again at any checkpoint.

    What a step reads must depend on the seed and the step's number alone.
    """

    def __init__(self, settings: TrainingSettings, seed: int, model: torch.nn.Module) -> None:
        self.settings, self.seed, self.model = settings, seed, model
        self.optimizer = make_optimizer(model, settings)
        self.step = 0
        self.curve: list[dict[str, Any]] = []
        self.losses: list[dict[str, float]] = []
        """Losses of the steps since the curve's last point."""

    def stages(self) -> list[TrainingSettings]:
        """Return the settings of each stage of the run, in order; the learning rate starts anew with each."""
        return [self.settings]

    def stage(self) -> tuple[TrainingSettings, int]:
        """Return the settings of the stage that `self.step` is in, and the step's number within the stage."""
        step = self.step
        for settings in self.stages():
            if step < settings.steps:
                return settings, step
            step -= settings.steps
        raise ValueError(f"step {self.step} is past the last stage")

    @property
    def key(self) -> str:
        """Return what a checkpoint must match to be taken up: settings and seed."""
        return to_json({"settings": dataclasses.asdict(self.settings), "seed": self.seed})

    @abc.abstractmethod
    def gradients(self) -> dict[str, float]:
        """Leave the gradients of step `self.step` in the model; return its losses in nats, by kind."""

    @abc.abstractmethod
    def measure(self) -> dict[str, float]:
        """Return what a point of the curve tells besides the losses, by name."""

    def train_step(self) -> dict[str, float]:
        """Take one optimiser step; return its losses. Raises `UserError` if one of them is not finite."""
        import torch

        losses = self.gradients()
        settings, step = self.stage()
        check_finite(losses.values(), step, settings.steps, settings.learning_rate)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip)
        update_weights(self.optimizer, rate(step, settings))
        self.step += 1
        return losses

    def run(self, checkpoint: Path) -> None:
        """Train to the last step, from the checkpoint if it is one of this run's; leave a checkpoint behind."""
        if checkpoint.is_file():
            load_checkpoint(checkpoint, self)
            logging.info("resumed at step %d", self.step)
        settings, steps = self.settings, sum(stage.steps for stage in self.stages())
        while self.step < steps:
            self.losses.append(self.train_step())
            last = self.step == steps
            if self.step % settings.evaluate_every == 0 or last:
                self.curve.append({"step": self.step, **self.measure(), **mean_losses(self.losses)})
                self.losses = []
                logging.info("curve %s", json.dumps(self.curve[-1]))
            if self.step % settings.checkpoint_every == 0 or last:
                save_checkpoint(checkpoint, self)


def save_checkpoint(path: Path, trainer: TrainingRun) -> None:
    """Write weights, optimiser state, step and curve in one safetensors file, whole or not at all."""
    from scripts.lm.checkpoints import save_state

    tensors = {f"model.{name}": tensor for name, tensor in trainer.model.state_dict().items()}
    tensors.update(optimizer_tensors(trainer.optimizer))
    facts = {"key": trainer.key, "step": trainer.step, "curve": trainer.curve, "losses": trainer.losses}
    save_state(path, tensors, facts)


def load_checkpoint(path: Path, trainer: TrainingRun) -> None:
    """Take up the run that `path` holds. Raises `UserError` if it is damaged or belongs to other settings."""
    from scripts.lm.checkpoints import load_state

    found = load_state(path)
    if found is None:
        raise UserError(f"{path}: no such file; check the path")
    tensors, facts = found
    if facts["key"] != trainer.key:
        raise UserError(f"{path}: checkpoint of a run with other settings or seed; name another file or remove it")
    trainer.model.load_state_dict({k[len("model.") :]: v for k, v in tensors.items() if k.startswith("model.")})
    restore_optimizer(trainer.optimizer, tensors)
    trainer.step, trainer.curve, trainer.losses = facts["step"], facts["curve"], facts["losses"]


def parse_training_args(description: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's arguments; every trainer takes the same."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--settings", required=True, help="training settings, one JSON object")
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument("--threads", required=True, type=int, help="threads of torch; 1 gives equal bytes everywhere")
    parser.add_argument("--checkpoint", required=True, type=Path, help="file that keeps the state of an unfinished run")
    parser.add_argument("--curve-out", required=True, type=Path, help="measures against steps, JSON lines")
    parser.add_argument("--model-out", required=True, type=Path, help="folder for model and tokenizer")
    return parser.parse_args(argv)


def train_and_save(
    args: argparse.Namespace, start: Callable[[], TrainingRun], export: Callable[[Path, TrainingRun], None]
) -> None:
    """Train, or go on training, and write model, tokenizer, model card and curve. start: makes the run from scratch."""
    import torch

    from scripts.lm.checkpoints import atomic_folder

    torch.set_num_threads(args.threads)
    seed_all(args.seed)
    run = start()
    run.run(args.checkpoint)
    with atomic_folder(args.model_out) as folder:
        export(folder, run)
    write_jsonl(args.curve_out, run.curve)
