"""AdamW with warm-up and schedule, stepped by number so that a resumed run is the uninterrupted one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from scripts.ddg.settings_train import Optimizer
from scripts.lm.loop import check_finite, optimizer_tensors, restore_optimizer, update_weights
from scripts.lm.optimizer_options import step_share, warmup_length
from scripts.lm.optimizing import decay_groups, decaying, make_adamw, named_trainable


def rate_share(step: int, n_steps: int, settings: Optimizer) -> float:
    """Return the share of the peak learning rate that step 0, 1, ... of `n_steps` uses."""
    warmup = warmup_length(settings.warmup_ratio, n_steps, settings.warmup_rounding)
    return step_share(step, n_steps, warmup, settings.schedule)


def parameter_groups(model: nn.Module, settings: Optimizer) -> list[dict[str, Any]]:
    """Return the trainable parameters in two groups: those with weight decay and those without."""
    return decay_groups(named_trainable(model), decaying(model, settings.weight_decay_on), settings.weight_decay)


class Stepper:
    """An AdamW run of `n_steps` steps over a model's parameters. `done` counts the steps taken."""

    def __init__(self, model: nn.Module, settings: Optimizer, n_steps: int, what: str) -> None:
        self.settings, self.n_steps, self.what, self.done = settings, n_steps, what, 0
        groups = parameter_groups(model, settings)
        self.parameters = [value for group in groups for value in group["params"]]
        self.adamw = make_adamw(groups, settings.learning_rate, epsilon_rule=settings.adam_epsilon_rule)

    def step(self) -> float:
        """Clip, update, clear the gradients; return the gradient's norm before clipping.

        Raises `UserError` if the gradient is not finite.
        """
        limit = self.settings.max_grad_norm or float("inf")
        norm = float(nn.utils.clip_grad_norm_(self.parameters, limit))
        peak = self.settings.learning_rate
        check_finite([norm], self.done, self.n_steps, peak, place=self.what, quantity="gradient")
        update_weights(self.adamw, peak * rate_share(self.done, self.n_steps, self.settings))
        self.done += 1
        return norm

    def state(self) -> dict[str, Tensor]:
        """Return the moments by place of the parameter, and the number of steps done."""
        return {"done": torch.tensor(self.done), **optimizer_tensors(self.adamw, "")}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Put back what `state` gave."""
        self.done = int(tensors["done"])
        restore_optimizer(self.adamw, {key: value for key, value in tensors.items() if key != "done"}, "")
