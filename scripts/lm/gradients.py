"""Gradients of single examples in the adapters of a LoRA warm-up, as LESS needs them (Xia et al., 2024, section 4).

The warm-up trains adapters on a part of the pool with Adam; at the end of each epoch the gradient of every example is
taken. A training example's gradient is turned into the step that Adam would make for it alone; a validation example's
is left as it is. Gradients are projected at once, so memory depends on a few examples only.
"""

from __future__ import annotations

import dataclasses
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Callable, Sequence

import numpy as np

from scripts.common.errors import UserError
from scripts.common.seeding import generator, seed_all
from scripts.common.sizes import subset_size
from scripts.lm.loop import update_weights
from scripts.lm.warmup_settings import WarmupSettings

if TYPE_CHECKING:
    import torch

    from scripts.lm.load import LoadedModel

logger = logging.getLogger(__name__)

BETAS = (0.9, 0.999)
EPSILON = 1e-8
VALUES_AT_ONCE = 1 << 24  # gradient entries held before they are projected

Projection = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """Projected gradients after an epoch: train (n, d), validation (m, d) float32, and the epoch's mean rate."""

    train: np.ndarray
    validation: np.ndarray
    rate: float


def warmup_gradients(
    loaded: LoadedModel,
    pool: Sequence[tuple[str, str]],
    validation: Sequence[tuple[str, str]],
    settings: WarmupSettings,
    seed: int,
    make_projection: Callable[[int], Projection],
) -> list[Checkpoint]:
    """Warm the adapters up and return the gradients after each epoch; `loaded.model` is as before in the end.

    pool, validation: (prompt, response) pairs. make_projection: gives the projection for that many weights. An example
    without a token to learn has a gradient of 0. Raises `UserError` for a loss that is not finite.
    """
    import torch

    from scripts.lm.adapters import add_adapters

    if loaded.family != "causal" or loaded.tokenizer.eos_token_id is None:
        raise UserError("model: LESS needs a causal language model whose tokenizer has an end-of-text token")
    seed_all(seed)
    adapted = add_adapters(loaded.model, _finetune_settings(settings))
    try:
        weights = [weight for weight in adapted.parameters() if weight.requires_grad]
        project = make_projection(sum(weight.numel() for weight in weights))
        encoded = [_encode(loaded, pair, settings.max_tokens) for pair in (*pool, *validation)]
        known = [row for row in encoded[: len(pool)] if row is not None]
        if not known:
            raise UserError("pool: no example has a token to learn; raise less.max_tokens")
        drawn = generator(seed, "less", "warm-up").permutation(len(known))
        chosen = [
            known[row]
            for row in sorted(drawn[: subset_size(len(known), settings.warmup_fraction, "less.warmup_fraction")])
        ]
        optimizer = torch.optim.AdamW(weights, lr=settings.learning_rate, betas=BETAS, eps=EPSILON, weight_decay=0.0)
        result = []
        for epoch in range(settings.epochs):
            rate = _train_epoch(adapted, chosen, optimizer, settings, seed, epoch)
            states = [optimizer.state[weight] for weight in weights]
            train = _project_all(adapted, encoded[: len(pool)], weights, project, partial(adam_step, states=states))
            plain = _project_all(adapted, encoded[len(pool) :], weights, project, list)
            result.append(Checkpoint(train, plain, rate))
            logger.info("warm-up epoch %d of %d: gradients of %d examples", epoch + 1, settings.epochs, len(encoded))
        return result
    finally:
        adapted.unload()
        for weight in loaded.model.parameters():
            weight.requires_grad_(True)
        loaded.model.eval()


def adam_step(gradients: Sequence[torch.Tensor], states: Sequence[dict[str, Any]]) -> list[torch.Tensor]:
    """Return the direction in which Adam would move for this gradient alone, from its present averages."""
    moved = []
    for gradient, state in zip(gradients, states):
        step = float(state["step"]) + 1
        first = (BETAS[0] * state["exp_avg"] + (1 - BETAS[0]) * gradient) / (1 - BETAS[0] ** step)
        second = (BETAS[1] * state["exp_avg_sq"] + (1 - BETAS[1]) * gradient**2) / (1 - BETAS[1] ** step)
        moved.append(first / (second.sqrt() + EPSILON))
    return moved


def _finetune_settings(settings: WarmupSettings) -> Any:
    from scripts.lm.finetune_settings import FinetuneSettings

    return FinetuneSettings(
        learning_rate=settings.learning_rate,
        epochs=settings.epochs,
        max_steps=0,
        batch_size=settings.batch_size,
        accumulation=1,
        schedule="linear",
        warmup_ratio=0.0,
        weight_decay=0.0,
        max_grad_norm=0.0,
        max_tokens=settings.max_tokens,
        method="lora",
        lora_rank=settings.lora_rank,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
    )


def _encode(loaded: LoadedModel, pair: tuple[str, str], max_tokens: int) -> dict[str, list[int]] | None:
    """Return an example's ids and labels, None if no token of it is to be learnt."""
    from scripts.lm.collator import MASKED
    from scripts.lm.generate import encode_prompts

    prompt = encode_prompts(loaded, [pair[0]])[0]
    whole = [*encode_prompts(loaded, [pair[0] + pair[1]])[0], loaded.tokenizer.eos_token_id]
    limit = min(max_tokens, loaded.window)
    first = max(1, len(prompt))
    if first >= min(len(whole), limit):
        return None
    return {"input_ids": whole[:limit], "labels": [*[MASKED] * first, *whole[first:limit]]}


def _loss(model: Any, rows: Sequence[dict[str, list[int]]]) -> torch.Tensor:
    """Return the mean negative log-likelihood per learnt token of a few examples, in nats."""
    import torch

    from scripts.lm.collator import Collator
    from scripts.lm.trainer import response_loss

    batch = Collator(0)(rows)  # padding is masked
    device = next(model.parameters()).device
    outputs = model(
        input_ids=batch["input_ids"].to(device), attention_mask=batch["attention_mask"].to(device), use_cache=False
    )
    loss = response_loss(outputs, batch["labels"].to(device), causal=True)
    if not torch.isfinite(loss):
        raise UserError(f"less.learning_rate: the loss became {loss.item()}; lower it")
    return loss


def _train_epoch(
    model: Any, rows: Sequence[dict[str, list[int]]], optimizer: Any, settings: WarmupSettings, seed: int, epoch: int
) -> float:
    """Train one epoch with a rate that falls linearly over the whole warm-up; return its mean rate."""
    order = generator(seed, "less", "order", epoch).permutation(len(rows))
    n_batches = -(-len(rows) // settings.batch_size)
    rates = []
    model.train()
    for number in range(n_batches):
        done = (epoch * n_batches + number) / (settings.epochs * n_batches)
        rates.append(settings.learning_rate * (1 - done))
        batch = order[number * settings.batch_size : (number + 1) * settings.batch_size]
        _loss(model, [rows[row] for row in batch]).backward()
        update_weights(optimizer, rates[-1])
    model.eval()
    return float(np.mean(rates))


def _project_all(
    model: Any,
    rows: Sequence[dict[str, list[int]] | None],
    weights: Sequence[torch.Tensor],
    project: Projection,
    change: Callable[[list[torch.Tensor]], list[torch.Tensor]],
) -> np.ndarray:
    """Return the projected gradient of each example, 0 for one that has nothing to learn."""
    import torch

    n_weights = sum(weight.numel() for weight in weights)
    at_once = max(1, VALUES_AT_ONCE // n_weights)
    parts = []
    for start in range(0, len(rows), at_once):
        block = np.zeros((len(rows[start : start + at_once]), n_weights), dtype=np.float32)
        for number, row in enumerate(rows[start : start + at_once]):
            if row is not None:
                gradients = torch.autograd.grad(_loss(model, [row]), weights)
                flat = torch.cat([part.detach().flatten() for part in change(list(gradients))])
                block[number] = flat.float().cpu().numpy()
        parts.append(project(block))
    return np.concatenate(parts)
