"""What a fine-tuned model depends on: the engine's settings, and a paper's `finetune` in their terms. Without torch."""

from __future__ import annotations

import dataclasses
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError, did_you_mean
from scripts.lm.optimizer_options import DECAY_RULES, EPSILON_RULES, SCHEDULES, WARMUP_ROUNDINGS

_CHOICES = {
    "method": ("full", "lora", "qlora"),
    "schedule": SCHEDULES,
    "precision": ("auto", "float32", "bfloat16"),
    "tokenization": ("joint", "separate"),
    "loss_on": ("response", "all"),
    "optimizer": ("adamw", "paged_adamw_8bit"),
    "weight_decay_on": DECAY_RULES,
    "warmup_rounding": WARMUP_ROUNDINGS,
    "adam_epsilon_rule": EPSILON_RULES,
}
_FSDP_WORDS = ("full_shard", "shard_grad_op", "offload", "auto_wrap")


@dataclasses.dataclass(frozen=True)
class FinetuneSettings:
    """What a fine-tuned model depends on. The values of the papers stand in the config, not here.

    learning_rate: peak step size of AdamW (2e-5 in the stanford_alpaca recipe).
    epochs: passes over the examples (3 in the recipe); ignored when `max_steps` is above 0.
    max_steps: optimizer steps; 0 = as many as `epochs` needs.
    batch_size: examples per device and forward pass (4 in the recipe).
    accumulation: forward passes per optimizer step (8 in the recipe, with 8 devices 256 examples a step).
    schedule: fall of the learning rate after the warm-up: cosine (recipe), linear or constant.
    warmup_ratio: share of the steps in which the learning rate rises from 0, in [0, 1) (0.03 in the recipe).
    weight_decay: decoupled weight decay per step (0 in the recipe).
    weight_decay_on, warmup_rounding, adam_epsilon_rule: which weights decay, how the steps of the warm-up are counted,
        where AdamW adds epsilon (`scripts.lm.optimizer_options`). The Trainer has except_norms and up; the recipe,
        which asks for torch's AdamW, and the 8-bit optimizer have after_correction.
    max_grad_norm: largest gradient norm (2-norm over all weights; 1.0 in the recipe); 0 = no clipping.
    max_tokens: longest example in tokens, prompt, response and end together (512 in the recipe); longer ones are cut at
        the end. An example of which no response token is left is dropped and counted.
    method: full = every weight; lora = low-rank adapters, merged at the end; qlora = the same over 4-bit weights.
    precision: auto = bfloat16 arithmetic over float32 weights where the device has it, else float32; or one of the two.
    tokenization: joint = prompt and response as one text, the first tokens of it, as many as the prompt alone has,
        masked (recipe); separate = tokenised apart and joined, so that the prompt is what `generate` will see. An
        encoder-decoder model always reads them apart.
    loss_on: response = the response and its end token are learnt; all = the prompt too (DELIFT's released code).
    optimizer: adamw, or paged_adamw_8bit (bitsandbytes, CUDA): the same with 8-bit moments.
    lora_rank, lora_alpha, lora_dropout: rank of the adapters, numerator of their scale alpha / rank, dropout
        probability before them.
    lora_targets: names of the linear layers that get an adapter; empty = all but the output layer.
    activation_checkpointing: compute activations twice to save memory; the numbers stay the same.
    save_steps: optimizer steps between two checkpoints for resuming (2000 in the recipe); 0 = none.
    fsdp: sharding over several devices, words of `full_shard auto_wrap offload shard_grad_op`; empty = none.
    fsdp_wrap: class name of the layer that one shard holds (LlamaDecoderLayer in the recipe); empty = the model's own.
    """

    learning_rate: float
    epochs: float
    max_steps: int
    batch_size: int
    accumulation: int
    schedule: str
    warmup_ratio: float
    weight_decay: float
    max_grad_norm: float
    max_tokens: int
    method: str = "full"
    precision: str = "auto"
    tokenization: str = "joint"
    loss_on: str = "response"
    optimizer: str = "adamw"
    weight_decay_on: str = "except_norms"
    warmup_rounding: str = "up"
    adam_epsilon_rule: str = "after_correction"
    lora_rank: int = 8
    lora_alpha: float = 16.0
    lora_dropout: float = 0.0
    lora_targets: Sequence[str] = ()
    activation_checkpointing: bool = False
    save_steps: int = 0
    fsdp: str = ""
    fsdp_wrap: str = ""

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            value = getattr(self, name)
            if value not in known:
                raise UserError(f"{name}: '{value}' is not one of {', '.join(known)}{did_you_mean(str(value), known)}")
        lowest = {"batch_size": 1, "accumulation": 1, "max_tokens": 2, "max_steps": 0, "save_steps": 0}
        for name, low in lowest.items():
            if not isinstance(getattr(self, name), int) or getattr(self, name) < low:
                raise UserError(f"{name}: {getattr(self, name)!r} is not a whole number >= {low}")
        for name in ("learning_rate", "weight_decay", "max_grad_norm", "lora_dropout"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise UserError(f"{name}: {getattr(self, name)!r} is not a number >= 0")
        if not 0 <= self.warmup_ratio < 1:
            raise UserError(f"warmup_ratio: {self.warmup_ratio!r} is not in [0, 1)")
        if not self.max_steps and not self.epochs > 0:
            raise UserError("epochs: give a number above 0, or max_steps")
        if self.adam_epsilon_rule == "before_correction" and self.optimizer != "adamw":
            raise UserError(f"adam_epsilon_rule: optimizer '{self.optimizer}' has after_correction only")
        if self.method != "full" and self.lora_rank < 1:
            raise UserError(f"lora_rank: {self.lora_rank} is below 1; method {self.method} needs a rank")
        for word in self.fsdp.split():
            if word not in _FSDP_WORDS:
                raise UserError(f"fsdp: unknown word '{word}'{did_you_mean(word, _FSDP_WORDS)}")


def finetune_settings(values: Mapping[str, Any], dtype: str, section: str) -> FinetuneSettings:
    """Return a paper's `finetune` settings in the engine's terms.

    values: fields of `FinetuneSettings`, but max_steps (None = as many as `epochs` needs)
    and lora: rank, alpha, dropout, and targets (a list, or `all-linear`). dtype: `float32` also forbids bfloat16
    arithmetic. section: where the keys stand in the config, for messages.
    """
    given = dict(values)
    lora = dict(given.pop("lora"))
    check_lora(lora, section)
    targets = lora.pop("targets", "all-linear")
    return FinetuneSettings(
        max_steps=given.pop("max_steps") or 0,
        precision="float32" if dtype in ("float32", "fp32") else "auto",
        lora_targets=() if targets == "all-linear" else tuple(targets),
        **given,
        **{f"lora_{name}": value for name, value in lora.items()},
    )


def check_lora(lora: Mapping[str, Any], section: str) -> None:
    """Raise `UserError` for an unknown key of a paper's `finetune.lora`."""
    known = ("rank", "alpha", "dropout", "targets")
    unknown = sorted(set(lora) - set(known))
    if unknown:
        raise UserError(f"{section}.lora: unknown key '{unknown[0]}'; expected {', '.join(known)}")
