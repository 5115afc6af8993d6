"""Our `transformers.Trainer`: stops at a loss that is not finite, marks whole checkpoints, reports in the log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainerCallback, get_scheduler

from scripts.common.checksums import seal
from scripts.common.progress import Progress
from scripts.lm.checkpoints import is_first_process, wait_for_all
from scripts.lm.collator import MASKED
from scripts.lm.finetune_settings import FinetuneSettings
from scripts.lm.loop import check_finite
from scripts.lm.optimizer_options import warmup_length
from scripts.lm.optimizing import EarlyEpsilonAdamW, decaying


def response_loss(outputs: Any, labels: torch.Tensor, num_items_in_batch: Any = None, *, causal: bool) -> torch.Tensor:
    """Return the negative log-likelihood of the labelled tokens, summed, over the number of labels in the whole step.

    outputs.logits: (rows, width, words); labels: (rows, width), -100 where nothing is learnt. causal: the logits of a
    place predict the label of the next one. num_items_in_batch: labels in all forward passes of the optimizer step.
    The models' own losses are not used: that of T5 ignores the count, so its gradient grows with the accumulation.
    """
    logits = outputs.logits
    if causal:
        logits, labels = logits[:, :-1], labels[:, 1:]
    learnt = labels != MASKED
    total = torch.nn.functional.cross_entropy(logits[learnt].float(), labels[learnt], reduction="sum")
    return total / (learnt.sum() if num_items_in_batch is None else num_items_in_batch)


class FiniteLossTrainer(Trainer):
    """A Trainer with the optimizer's options of `settings`; it ends with a `UserError` at a loss that is not finite."""

    def __init__(self, *args: Any, settings: FinetuneSettings, **kwargs: Any) -> None:
        self.settings = settings
        super().__init__(*args, **kwargs)

    def get_decay_parameter_names(self, model: Any) -> list[str]:
        """Return the names of the weights that decay."""
        if self.settings.weight_decay_on == "except_norms":
            return super().get_decay_parameter_names(model)
        return sorted(decaying(model, self.settings.weight_decay_on))

    def get_optimizer_cls_and_kwargs(self, args: Any, model: Any = None) -> tuple[Any, dict[str, Any]]:
        """Return the optimizer's class and settings."""
        kind, options = Trainer.get_optimizer_cls_and_kwargs(args, model)
        return (EarlyEpsilonAdamW if self.settings.adam_epsilon_rule == "before_correction" else kind), options

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """Make the schedule of step sizes. The Trainer's own rounds the warm-up up."""
        if self.lr_scheduler is None and self.settings.warmup_rounding == "exact" and self.settings.warmup_ratio:
            self.lr_scheduler = get_scheduler(
                self.args.lr_scheduler_type,
                optimizer=self.optimizer if optimizer is None else optimizer,
                num_warmup_steps=warmup_length(self.settings.warmup_ratio, num_training_steps, "exact"),
                num_training_steps=num_training_steps,
            )
            self._created_lr_scheduler = True
        return super().create_scheduler(num_training_steps, optimizer)

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
        """Run one forward and backward pass; see `transformers.Trainer.training_step`."""
        loss = super().training_step(model, inputs, num_items_in_batch)
        if not torch.isfinite(loss):
            check_finite([loss.item()], self.state.global_step, self.state.max_steps, self.args.learning_rate)
        return loss

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Return 0: counting operations costs a walk over all modules at every step, and nobody reads the count."""
        return 0


class SealCheckpoints(TrainerCallback):
    """Put the checksums of its files into each checkpoint once all of it is written: a killed run leaves halves."""

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Seal the checkpoint of this step."""
        wait_for_all()  # each process writes its own random state
        if is_first_process():
            seal(Path(args.output_dir) / f"checkpoint-{state.global_step}")


class ReportProgress(TrainerCallback):
    """Show steps, loss and learning rate; in a log at ten places of a run."""

    def __init__(self) -> None:
        self._progress: Progress | None = None

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        """Show what the Trainer measured at this step."""
        if not logs or "loss" not in logs:
            return
        if self._progress is None:
            self._progress = Progress(state.max_steps, "steps", done=state.global_step - 1, parts=10)
        shown = {"loss": logs["loss"], "learning rate": logs["learning_rate"]}
        self._progress.advance(state.global_step - self._progress.done, shown)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Leave the terminal's line."""
        if self._progress is not None:
            self._progress.close()
