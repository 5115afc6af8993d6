"""Settings of NUGGETS' fine-tuning."""

from __future__ import annotations

from typing import Any, Literal, Mapping

from scripts.common.fields import Settings, Share, setting
from scripts.lm.optimizer_options import EpsilonRule, Schedule


class Lora(Settings):
    """Low-rank adapters."""

    rank: int = setting("rank of the adapters", source="peft's default: 8", ge=1)
    alpha: float = setting("scale of the adapters", source="peft's example: 16", gt=0)
    dropout: Share = setting("dropout before the adapters, a share")
    targets: str = setting("layers that get adapters, in peft's words", min_length=1)


class TrainSettings(Settings):
    """How a model is fine-tuned on a subset: settings of `scripts.nuggets.train_model`."""

    method: Literal["full", "lora", "qlora"] = setting(
        "full: every weight (NUGGETS), lora: low-rank adapters, qlora: the same on a 4-bit model (needs a GPU)",
    )
    epochs: float = setting("passes over the subset", source="Alpaca recipe: 3", unit="epochs", gt=0)
    max_steps: int | None = setting(
        "optimiser steps after which training stops though epochs are left; null: none",
        source="not in the paper",
        unit="steps",
        ge=1,
    )
    learning_rate: float = setting("peak learning rate of AdamW", source="Alpaca recipe: 2e-5", gt=0)
    schedule: Schedule = setting("course of the learning rate after the warm-up", source="Alpaca recipe: cosine")
    warmup_ratio: Share = setting(
        "share of the steps in which the learning rate rises",
        source="Alpaca recipe: 0.03",
    )
    weight_decay: float = setting("AdamW's weight decay", source="Alpaca recipe: 0", ge=0)
    max_grad_norm: float = setting("length to which a longer gradient is cut", source="Trainer: 1", gt=0)
    adam_epsilon_rule: EpsilonRule = setting(
        "whether AdamW adds epsilon after the bias correction (torch, as the Alpaca recipe) or before it "
        "(transformers' own until version 4)",
    )
    batch_size: int = setting(
        "examples in one forward pass of one device",
        source="Alpaca recipe: 4",
        unit="examples",
        ge=1,
    )
    accumulation: int = setting("forward passes in one optimiser step", source="Alpaca recipe: 8", ge=1)
    devices: int = setting(
        "GPUs that train together; 1 also stands for a CPU",
        source="Alpaca recipe: 8",
        unit="GPUs",
        ge=1,
    )
    fsdp: str = setting(
        "how weights are spread over the devices, in Trainer's words; empty: not at all",
        source="Alpaca recipe: full_shard auto_wrap",
    )
    fsdp_wrap: str = setting("class of the layers that are spread as a unit", source="Alpaca recipe: LlamaDecoderLayer")
    max_tokens: int = setting("tokens after which an example is cut", source="Alpaca recipe: 512", unit="tokens", ge=1)
    save_steps: int = setting(
        "optimiser steps between two checkpoints; 0: none",
        source="Alpaca recipe: 2,000",
        unit="steps",
        ge=0,
    )
    lora: Lora

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a config holds for them."""
        return cls.kept(config["nuggets"]["finetune"])


class Finetune(TrainSettings):
    """Fine-tuning on a subset."""

    prompt: str = setting(
        "template of the fine-tuning examples and of the benchmarks' questions, a row of prompts",
        source="Alpaca recipe",
        key_of="prompts",
    )
