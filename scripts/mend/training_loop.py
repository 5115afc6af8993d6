"""The training loop of distillers, soft prompts and the tuned LLM: AdamW, linear schedule, resume, best by score.

A run is cut into steps of `accumulation` micro-batches per process; a micro-batch is known by its number, so a resumed
run reads what the uninterrupted one would have read and ends with the same bytes.

# DEVIATION: with accumulation or several devices the means of the micro-batches are averaged, as the Trainer of the
# paper's time did; the best checkpoint is chosen on held-out training tasks by accuracy, the release chooses it on the
# test tasks by their own metrics. Both end early where the scores no longer rise (`patience`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
from pathlib import Path
from typing import Any, Callable, Mapping

import torch
from torch import Tensor, nn

from scripts.common.errors import UserError
from scripts.common.fields import Settings
from scripts.common.files import PathLike
from scripts.common.progress import Progress as ShownProgress
from scripts.common.seeding import derive_seed
from scripts.common.settings import check_choice
from scripts.lm.checkpoints import STATE, checkpoint_folder, is_first_process, load_state, save_state
from scripts.lm.loop import check_finite, optimizer_tensors, restore_optimizer, update_weights
from scripts.lm.optimizer_options import DECAY_RULES, EPSILON_RULES, warmup_length
from scripts.lm.optimizing import decay_groups, decaying, make_adamw

logger = logging.getLogger(__name__)

PRECISIONS = ("auto", "float32", "bfloat16")

LossOf = Callable[[nn.Module, int], dict[str, Tensor]]
"""(module, number of a micro-batch) -> losses; `total` has the gradient, the others are reported."""


@dataclasses.dataclass(frozen=True)
class LoopSettings:
    """steps: optimizer steps; accumulation: micro-batches of each; learning_rate: of AdamW, falling linearly to 0
    after a rise from 0 over warmup_ratio of the steps, rounded up; weight_decay; max_grad_norm: largest gradient norm,
    0 = none; adam_epsilon_rule, weight_decay_on: which AdamW, and which weights decay (`scripts.lm.optimizer_options`;
    both releases: before_correction; MEND's: except_norms, MetaICL's: except_bert_norms); evaluate_steps: between two
    scores, patience: how many of them in a row may be no better before training ends, save_steps: between two
    checkpoints, 0 = none; precision: auto (bfloat16 arithmetic over float32 weights where the device has it), float32
    or bfloat16.
    """

    steps: int
    accumulation: int
    learning_rate: float
    warmup_ratio: float
    weight_decay: float
    max_grad_norm: float
    adam_epsilon_rule: str
    weight_decay_on: str
    evaluate_steps: int
    patience: int
    save_steps: int
    precision: str

    def __post_init__(self) -> None:
        check_choice("adam_epsilon_rule", self.adam_epsilon_rule, EPSILON_RULES)
        check_choice("weight_decay_on", self.weight_decay_on, DECAY_RULES)
        lowest = {"steps": 0, "accumulation": 1, "evaluate_steps": 0, "patience": 0, "save_steps": 0}
        for name, low in lowest.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < low:
                raise UserError(f"{name}: {value!r} is not a whole number >= {low}")
        for name in ("learning_rate", "weight_decay", "max_grad_norm"):
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or not 0 <= value < math.inf:
                raise UserError(f"{name}: {value!r} is not a number >= 0")
        if not 0 <= self.warmup_ratio < 1:
            raise UserError(f"warmup_ratio: {self.warmup_ratio!r} is not in [0, 1)")
        if self.precision not in PRECISIONS:
            raise UserError(f"precision: '{self.precision}' is not one of {', '.join(PRECISIONS)}")

    @classmethod
    def of(cls, settings: Settings, **more: Any) -> LoopSettings:
        """Return the loop's part of a step's settings; more: what they leave open."""
        names = {field.name for field in dataclasses.fields(cls)}
        return cls(**{key: value for key, value in settings.given().items() if key in names}, **more)

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0: the Trainer's, whose first one is 0 with a warm-up."""
        warmup = warmup_length(self.warmup_ratio, self.steps, "up")
        if step < warmup:
            return self.learning_rate * step / warmup
        return self.learning_rate * (self.steps - step) / max(1, self.steps - warmup)


@dataclasses.dataclass
class Progress:
    """Where a run stands: steps done, losses of each step by name, (step, score) pairs, the best of them."""

    step: int = 0
    losses: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    scores: list[list[float]] = dataclasses.field(default_factory=list)
    best_step: int = -1
    best_score: float = -math.inf

    @property
    def stale(self) -> int:
        """Return how many scores in a row are no better than the best before them."""
        return sum(step > self.best_step for step, _ in self.scores)

    def record(self, losses: Mapping[str, float]) -> None:
        """Count a step and its losses."""
        for name, value in losses.items():
            self.losses.setdefault(name, []).append(float(f"{value:.6g}"))
        self.step += 1

    def history(self) -> dict[str, Any]:
        """Return what is reported of a finished run."""
        best = None if self.best_step < 0 else {"step": self.best_step, "score": self.best_score}
        return {"steps": self.step, "losses": self.losses, "scores": self.scores, "best": best}


def train(
    module: nn.Module,
    loss_of: LossOf,
    settings: LoopSettings,
    *,
    seed: int,
    key: Mapping[str, Any],
    checkpoints: PathLike | None,
    score: Callable[[], float] | None = None,
) -> Progress:
    """Train the parameters of `module` that ask for gradients, in place; leave the best ones in it (else the last).

    key: everything the result depends on beside the settings, to find a checkpoint of this very run under the folder
    `checkpoints`; it stays there, finished, until the caller has kept the result. score: higher is better; asked every
    `evaluate_steps` and at the end. Raises `UserError` for a loss that is not finite.
    """
    run = _Run(module, loss_of, settings, seed, score)
    folder = None
    if settings.save_steps:
        if checkpoints is None:
            raise UserError("save_steps: checkpoints need a folder; give --checkpoints or set save_steps to 0")
        devices = run.accelerator.num_processes  # every device adds its own micro-batches to a step
        folder = checkpoint_folder(checkpoints, dataclasses.asdict(settings), {**key, "seed": seed, "devices": devices})
        run.resume(folder)
    with ShownProgress(settings.steps, "steps", done=run.progress.step, parts=10) as run.shown:
        while run.progress.step < settings.steps and not run.ended:
            run.step()
            run.after_step(folder)
    run.take_best()
    module.zero_grad(set_to_none=True)
    module.eval()
    return run.progress


class _Run:
    """State of one training run."""

    def __init__(
        self, module: nn.Module, loss_of: LossOf, settings: LoopSettings, seed: int, score: Callable[[], float] | None
    ) -> None:
        from accelerate import Accelerator

        self.module, self.loss_of, self.settings, self.seed, self.score = module, loss_of, settings, seed, score
        self.trained = {name: weight for name, weight in module.named_parameters() if weight.requires_grad}
        self.device = next(iter(self.trained.values())).device
        groups = decay_groups(self.trained, decaying(module, settings.weight_decay_on), settings.weight_decay)
        self.optimizer = make_adamw(groups, settings.learning_rate, epsilon_rule=settings.adam_epsilon_rule)
        self.accelerator = Accelerator(
            mixed_precision="bf16" if use_bfloat16(self.device, settings.precision) else "no",
            cpu=self.device.type == "cpu",
        )
        self.prepared, self.stepper = self.accelerator.prepare(module, self.optimizer)
        self.progress = Progress()
        self.best: dict[str, Tensor] = {}

    def step(self) -> None:
        """Take one optimizer step."""
        settings, number = self.settings, self.progress.step
        self.module.train()
        sums: dict[str, float] = {}
        for micro in range(settings.accumulation):
            place = (number * settings.accumulation + micro) * self.accelerator.num_processes
            index = place + self.accelerator.process_index
            torch.manual_seed(derive_seed(self.seed, "dropout", index))
            last = micro == settings.accumulation - 1
            with contextlib.nullcontext() if last else self.accelerator.no_sync(self.prepared):
                with self.accelerator.autocast():
                    losses = self.loss_of(self.prepared, index)
                self.accelerator.backward(losses["total"] / settings.accumulation)
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach()) / settings.accumulation
        if self.accelerator.num_processes > 1:
            shared = self.accelerator.reduce(torch.tensor([*sums.values()], device=self.device), reduction="mean")
            sums = dict(zip(sums, shared.tolist()))
        check_finite(sums.values(), number, settings.steps, settings.learning_rate)
        if settings.max_grad_norm:
            self.accelerator.clip_grad_norm_(self.trained.values(), settings.max_grad_norm)
        update_weights(self.stepper, settings.rate(number))
        self.progress.record(sums)
        self.shown.advance(1, sums)

    def after_step(self, folder: Path | None) -> None:
        """Score and save where it is due."""
        settings, done = self.settings, self.progress.step
        last = done == settings.steps
        if self.score is not None and settings.evaluate_steps and (done % settings.evaluate_steps == 0 or last):
            self.module.eval()
            with torch.no_grad():
                value = float(f"{self.score():.6g}")
            self.progress.scores.append([done, value])
            logger.info("step %d: score %.4f", done, value)
            if value > self.progress.best_score:
                self.progress.best_score, self.progress.best_step = value, done
                self.best = {name: weight.detach().cpu().clone() for name, weight in self.trained.items()}
        if self.ended:
            logger.info("step %d of %d: %d scores in a row were no better; training ends", done, settings.steps,
                        settings.patience)  # fmt: skip
        if folder is not None and (last or self.ended or done % settings.save_steps == 0) and is_first_process():
            self.save(folder)

    @property
    def ended(self) -> bool:
        """Return whether the scores have not risen for as long as the settings allow."""
        return 0 < self.settings.patience <= self.progress.stale

    def take_best(self) -> None:
        """Put the best weights into the module, if it was scored."""
        with torch.no_grad():
            for name, weight in self.best.items():
                self.trained[name].copy_(weight)

    def save(self, folder: Path) -> None:
        """Write weights, optimizer state, best weights and progress, each file whole or not at all."""
        tensors = {f"weight.{name}": weight for name, weight in self.trained.items()}
        tensors.update(optimizer_tensors(self.optimizer))
        tensors.update({f"best.{name}": weight for name, weight in self.best.items()})
        progress = dataclasses.asdict(self.progress)
        progress["best_score"] = None if self.progress.best_step < 0 else self.progress.best_score
        save_state(folder / STATE, tensors, progress)

    def resume(self, folder: Path) -> None:
        """Go on from the folder's checkpoint, if there is one. Raises `UserError` if it is damaged."""
        found = load_state(folder / STATE)
        if found is None:
            return
        tensors, progress = found
        if progress["best_score"] is None:
            progress["best_score"] = -math.inf
        self.progress = Progress(**progress)
        with torch.no_grad():
            for name, tensor in tensors.items():
                kind, _, rest = name.partition(".")
                if kind == "weight":
                    self.trained[rest].copy_(tensor)
                elif kind == "best":
                    self.best[rest] = tensor
        restore_optimizer(self.optimizer, tensors)
        logger.info("resuming at step %d from %s", self.progress.step, folder)


def use_bfloat16(device: torch.device, precision: str) -> bool:
    """Return whether to compute in bfloat16. Raises `UserError` where it is asked of a device that has none."""
    able = device.type == "cuda" and torch.cuda.is_bf16_supported()
    if precision == "bfloat16" and not able:
        raise UserError("precision: this device has no bfloat16 arithmetic; use 'auto' or 'float32'")
    return able and precision != "float32"
