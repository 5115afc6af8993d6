"""What every training loop of our own does with its optimizer: a step at a rate, finite losses, its state on disk.

The loops differ in what they read, how they add up losses and when they look at the result. `scripts.lm.optimizing`
has the AdamW of each paper's code, `scripts.lm.optimizer_options` how its step size moves.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Iterable, Mapping

from scripts.common.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

STATE_PREFIX = "optimizer."
"""Of the names under which a checkpoint holds an optimizer's state: optimizer.<place of the weight>.<moment>."""


def update_weights(optimizer: Optimizer, rate: float) -> None:
    """Move the weights by their gradients at this learning rate, and drop the gradients."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def check_finite(
    values: Iterable[float],
    step: int,
    n_steps: int,
    rate: float,
    *,
    key: str = "learning_rate",
    place: str | None = None,
    quantity: str = "loss",
) -> None:
    """Raise `UserError` if a value is not finite, naming the setting to lower.

    values: losses or norms of step `step` (counted from 0) of `n_steps`; rate: the peak learning rate, which is setting
    `key`; place: what the message begins with, by default the key; quantity: what the values are.
    """
    wrong = next((value for value in values if not math.isfinite(value)), None)
    if wrong is not None:
        raise UserError(
            f"{place or key}: the {quantity} became {wrong} at step {step + 1} of {n_steps};"
            f" lower {key} ({rate:g}) or lengthen the warm-up"
        )


def optimizer_tensors(optimizer: Optimizer, prefix: str = STATE_PREFIX) -> dict[str, Tensor]:
    """Return an optimizer's state as named tensors, for a checkpoint; they are live."""
    import torch

    return {
        f"{prefix}{place}.{name}": torch.as_tensor(value)
        for place, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }


def restore_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor], prefix: str = STATE_PREFIX) -> None:
    """Put back what `optimizer_tensors` gave; tensors whose names begin otherwise are somebody else's."""
    state: dict[int, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        if key.startswith(prefix):
            place, _, name = key.removeprefix(prefix).partition(".")
            state.setdefault(int(place), {})[name] = tensor.clone()  # torch would take it as it is
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
