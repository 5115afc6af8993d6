"""Train several learners of one shape at once, each on a set of its own: evaluation A has many short runs.

All weights are stacked along a new first axis and every pass runs once for all learners (`torch.func.vmap`). Each one
sees the batches, clipping and step sizes that it would see alone.
"""

from __future__ import annotations

import dataclasses
from typing import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from scripts.ddg.batches import Shuffled
from scripts.ddg.learners import FULL_MASK, Encoded, Learner, Start, batches_by_length, head_seed
from scripts.ddg.optimizing import rate_share
from scripts.ddg.settings_train import Optimizer
from scripts.lm.loop import check_finite, update_weights
from scripts.lm.optimizing import decay_groups, decaying, make_adamw


@dataclasses.dataclass(frozen=True)
class Run:
    """One learner to train: rows and labels of its set, and the seed of its classifier and of the batches' order."""

    rows: Sequence[Encoded]
    labels: Sequence[int]
    seed: int


def train_together(
    learner: Learner,
    start: Start,
    runs: Sequence[Run],
    steps: int,
    batch_size: int,
    optimizer: Optimizer,
    dropout: bool,
) -> dict[str, Tensor]:
    """Train one learner for each run from the same pre-trained encoder; return the stacked weights.

    All sets must have equally many texts. batch_size: or the set's size if that is less. dropout: units are dropped
    independently in each learner, from torch's global generator.
    Raises `UserError` if a loss is not finite.
    """
    sizes = {len(run.rows) for run in runs}
    if len(sizes) != 1:
        raise ValueError(f"sets of different sizes in one group: {sorted(sizes)}")
    weights = _stacked_start(learner, start, runs)
    names = [name for name, value in weights.items() if value.is_floating_point()]
    decayed = decaying(learner, optimizer.weight_decay_on)
    groups = decay_groups({name: weights[name] for name in names}, decayed, optimizer.weight_decay)
    adamw = make_adamw(groups, optimizer.learning_rate, epsilon_rule=optimizer.adam_epsilon_rule)
    batches = [Shuffled(len(run.rows), batch_size, run.seed, "set batches") for run in runs]
    learner.train(dropout)

    def loss_of(own: dict[str, Tensor], batch: dict[str, Tensor], labels: Tensor) -> Tensor:
        return F.cross_entropy(torch.func.functional_call(learner, own, (batch,)), labels)

    gradient = torch.func.vmap(torch.func.grad_and_value(loss_of), randomness="different")
    for step in range(steps):
        batch, labels = _batch_of(learner, runs, [own.rows(step) for own in batches])
        gradients, losses = gradient({name: weights[name].detach() for name in weights}, batch, labels)
        check_finite(losses.tolist(), step, steps, optimizer.learning_rate, place="learner")
        _clip(gradients, optimizer.max_grad_norm)
        for name in names:
            # vmap may return transposed gradients, which the fused AdamW of a CPU would read in the wrong order.
            weights[name].grad = gradients[name].contiguous()
        update_weights(adamw, optimizer.learning_rate * rate_share(step, steps, optimizer))
    learner.eval()
    return {name: value.detach() for name, value in weights.items()}


def _stacked_start(learner: Learner, start: Start, runs: Sequence[Run]) -> dict[str, Tensor]:
    stacks: dict[str, list[Tensor]] = {}
    for run in runs:
        start.restore(learner, head_seed(run.seed, "evaluation"))
        for name, value in learner.named_parameters():
            stacks.setdefault(name, []).append(value.detach().clone())
    return {name: torch.stack(values).requires_grad_() for name, values in stacks.items()}


def _batch_of(
    learner: Learner, runs: Sequence[Run], places: Sequence[Sequence[int]]
) -> tuple[dict[str, Tensor], Tensor]:
    """Return the batches of all runs, (runs, texts, width), and their labels."""
    flat = [run.rows[place] for run, own in zip(runs, places) for place in own]
    labels = [[run.labels[place] for place in own] for run, own in zip(runs, places)]
    batch = _with_full_mask(learner.collate(flat))
    batch = {key: value.view(len(runs), -1, *value.shape[1:]) for key, value in batch.items()}
    return batch, torch.tensor(labels, device=learner.device)


def _with_full_mask(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    hidden = (1.0 - batch["attention_mask"].float()) * torch.finfo(torch.float32).min
    width = hidden.shape[1]
    return {**batch, FULL_MASK: hidden[:, None, None, :].expand(-1, 1, width, -1).contiguous()}


def _clip(gradients: dict[str, Tensor], limit: float) -> None:
    """Scale each learner's gradient to a 2-norm of at most `limit` (0 = none), in place."""
    if not limit:
        return
    squares = torch.stack([value.flatten(1).square().sum(dim=1) for value in gradients.values()]).sum(dim=0)
    factors = (limit / (squares.sqrt() + 1e-6)).clamp(max=1.0)
    for value in gradients.values():
        value.mul_(factors.view(-1, *[1] * (value.ndim - 1)))


@torch.no_grad()
def predict(learner: Learner, weights: dict[str, Tensor], rows: Sequence[Encoded], batch_size: int) -> Tensor:
    """Return the predicted class of each text by each learner, (runs, texts)."""
    learner.eval()
    places, found = [], []
    for own in batches_by_length(rows, batch_size):
        batch = _with_full_mask(learner.collate([rows[place] for place in own]))
        logits = torch.func.vmap(lambda one: torch.func.functional_call(learner, one, (batch,)))(weights)  # noqa: B023
        places += own
        found.append(logits.argmax(dim=-1))
    back = torch.tensor(places).argsort().to(found[0].device)
    return torch.cat(found, dim=1)[:, back]
