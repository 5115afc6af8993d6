"""The optimizer of MEND's and MetaICL's released code: AdamW as Hugging Face's library had it, and which weights decay.

The release's Trainer (transformers 4.24) and MetaICL both use that library's own AdamW. It differs from torch's in two
places: epsilon is added to the root of the second moment before its bias is corrected, and weights decay after the
step, not before it.
"""

from __future__ import annotations

from typing import Any, Mapping

import torch
from torch import Tensor, nn

ADAMS = ("huggingface", "torch")
DECAYS = ("trainer", "metaicl")
SPARED = ("bias", "LayerNorm.weight")  # parts of the names that MetaICL exempts
EPSILON = 1e-8


def decaying(module: nn.Module, rule: str) -> set[str]:
    """Return the names of the parameters of `module` to which weight decay applies.

    rule: `trainer`: all but biases and those of norm layers (transformers' Trainer, used by MEND); `metaicl`: all whose
    name holds neither `bias` nor `LayerNorm.weight`, so that GPT-2's norms (`ln_1`, `ln_2`, `ln_f`) do decay.
    """
    names = [name for name, _ in module.named_parameters()]
    if rule == "metaicl":
        return {name for name in names if not any(part in name for part in SPARED)}
    norms = {
        f"{place}.{name}" if place else name
        for place, part in module.named_modules()
        if "norm" in type(part).__name__.lower()
        for name, _ in part.named_parameters(recurse=False)
    }
    return {name for name in names if "bias" not in name and name not in norms}


class Optimizer:
    """AdamW over the trained parameters of a module; `optimizer` is the torch optimizer that holds its state.

    trained: parameters by name; adam: one of `ADAMS`; decay: one of `DECAYS`. betas .9 and .999, epsilon 1e-8.
    """

    def __init__(
        self, module: nn.Module, trained: Mapping[str, Tensor], *, adam: str, decay: str, weight_decay: float
    ) -> None:
        self.adam, self.weight_decay = adam, weight_decay
        chosen = decaying(module, decay)
        groups: dict[bool, list[Tensor]] = {True: [], False: []}
        for name, weight in trained.items():
            groups[name in chosen].append(weight)
        self.decayed = groups[True]
        own = weight_decay if adam == "torch" else 0.0
        parts: list[dict[str, Any]] = [
            {"params": groups[True], "weight_decay": own},
            {"params": groups[False], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(parts, lr=0.0, eps=EPSILON, fused=True)

    def prepare(self, step: int, rate: float) -> None:
        """Set the learning rate of a step, counted from 0, and the epsilon that stands for the rule's at this step."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
            if self.adam == "huggingface":  # sqrt(v) + e = sqrt(1 - b2^t) (sqrt(v / (1 - b2^t)) + e / sqrt(1 - b2^t))
                group["eps"] = EPSILON / (1 - group["betas"][1] ** (step + 1)) ** 0.5

    @torch.no_grad()
    def finish(self, rate: float) -> None:
        """Let the weights decay after a step, where that is the rule."""
        if self.adam == "huggingface" and self.weight_decay and self.decayed:
            torch._foreach_mul_(self.decayed, 1 - rate * self.weight_decay)
