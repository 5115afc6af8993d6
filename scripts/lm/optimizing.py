"""AdamW by the options of `scripts.lm.optimizer_options`: which weights decay, where epsilon is added."""

from __future__ import annotations

import math
import re
from typing import Any, Iterable, Iterator, Mapping

import torch
from torch import Tensor, nn

NORM_NAMES = re.compile(r"layernorm|rmsnorm|(?:^|\.)norm(?:$|\.)|_norm(?:$|\.)")
"""Names of normalisation layers that are not torch's own, as the Trainer knows them."""
BERT_NAMES = ("bias", "LayerNorm.weight")


def decaying(model: nn.Module, rule: str) -> frozenset[str]:
    """Return the names of the weights of `model` that decay by `rule`, one of DECAY_RULES."""
    normed = {
        f"{place}.{name}".lstrip(".")
        for place, module in model.named_modules()
        if isinstance(module, nn.LayerNorm)
        for name, _ in module.named_parameters(recurse=False)
    }
    dimensions = {name: weight.ndim for name, weight in model.named_parameters()}
    return frozenset(name for name in dimensions if decays(name, dimensions[name], rule, normed=name in normed))


def decays(name: str, n_dimensions: int, rule: str, *, normed: bool = False) -> bool:
    """Return whether the weight of this name decays by `rule`; normed: it is of a LayerNorm, whatever it is called."""
    if rule == "matrices":
        return n_dimensions >= 2
    if rule == "except_bert_norms":
        return not any(part in name for part in BERT_NAMES)
    if rule == "except_norms":
        return not (normed or "bias" in name.lower() or NORM_NAMES.search(name.lower()))
    return True


def decay_groups(
    weights: Mapping[str, Tensor] | Iterable[tuple[str, Tensor]], decayed: Iterable[str], weight_decay: float
) -> list[dict[str, Any]]:
    """Return weights, by name, in two groups for an optimizer: those named in `decayed` decay, the others do not."""
    named, names = dict(weights), set(decayed)
    return [
        {"params": [value for name, value in named.items() if name in names], "weight_decay": weight_decay},
        {"params": [value for name, value in named.items() if name not in names], "weight_decay": 0.0},
    ]


class EarlyEpsilonAdamW(torch.optim.AdamW):
    """The AdamW that transformers had of its own until version 4: an early epsilon, and decay after the step.

    With m, v the running means of gradient and square, step t moves a weight by
    lr sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + eps). torch divides by sqrt(v) / sqrt(1 - beta2^t) + eps; this
    is the same with eps / sqrt(1 - beta2^t) in the place of eps: 3.2e-7 instead of 1e-8 at step 1.
    Weights decay after the step, by lr * weight_decay of what they then are; in torch before it. As in torch, those
    without a gradient do not decay.
    """

    def __init__(self, params: Any, *, eps: float, **options: Any) -> None:
        super().__init__(params, eps=eps, **options)
        self._epsilon, self._taken = eps, -1

    def step(self, closure: Any = None) -> Any:
        """Take a step; see `torch.optim.AdamW.step`."""
        if self._taken < 0:  # also behind a resumed state, which holds the count
            self._taken = max((int(state["step"]) for state in self.state.values() if "step" in state), default=0)
        self._taken += 1
        decays = [group["weight_decay"] for group in self.param_groups]
        for group in self.param_groups:
            group["eps"] = self._epsilon / math.sqrt(1.0 - group["betas"][1] ** self._taken)
            group["weight_decay"] = 0.0
        try:
            loss = super().step(closure)
        finally:
            for group, decay in zip(self.param_groups, decays):
                group["weight_decay"] = decay
        self._shrink()
        return loss

    @torch.no_grad()
    def _shrink(self) -> None:
        """Let the weights that have a gradient decay."""
        for group in self.param_groups:
            moved = [weight for weight in group["params"] if weight.grad is not None]
            if group["weight_decay"] and moved:
                torch._foreach_mul_(moved, 1.0 - group["lr"] * group["weight_decay"])

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up a saved state; the steps are counted from what it holds."""
        super().load_state_dict(state_dict)
        self._taken = -1


def make_adamw(
    groups: Any,
    learning_rate: float,
    *,
    epsilon_rule: str,
    betas: tuple[float, float] = (0.9, 0.999),
    epsilon: float = 1e-8,
    fused: bool = True,
) -> torch.optim.AdamW:
    """Return AdamW over parameters, which do not decay, or groups that say whether they do.

    epsilon_rule: one of EPSILON_RULES.
    """
    kind = EarlyEpsilonAdamW if epsilon_rule == "before_correction" else torch.optim.AdamW
    return kind(groups, lr=learning_rate, betas=betas, eps=epsilon, weight_decay=0.0, fused=fused)


def named_trainable(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield the weights of a model that are trained, by name."""
    return ((name, value) for name, value in model.named_parameters() if value.requires_grad)
