"""Settings of learning, answering and judging in NUGGETS."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from scripts.common.fields import Settings, setting
from scripts.lm.optimizer_options import EpsilonRule, Schedule


class Lora(Settings):
    """Low-rank adapters."""

    rank: int = setting("rank of the adapters", source="peft's default: 8", ge=1)
    alpha: float = setting("scale of the adapters", source="peft's example: 16", gt=0)
    dropout: float = setting("dropout before the adapters, a share", unit="share, 0 to 1", ge=0, le=1)
    targets: str = setting("layers that get adapters, in peft's words", min_length=1)


class Finetune(Settings):
    """Fine-tuning on a subset."""

    prompt: str = setting(
        "template of the fine-tuning examples and of the benchmarks' questions, a row of prompts",
        source="Alpaca recipe",
        key_of="prompts",
    )
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
    warmup_ratio: float = setting(
        "share of the steps in which the learning rate rises",
        source="Alpaca recipe: 0.03",
        unit="share, 0 to 1",
        ge=0,
        le=1,
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


class Generate(Settings):
    """How answers are written."""

    max_new_tokens: int = setting(
        "tokens after which an answer is cut",
        source="AlpacaEval: 2,048",
        unit="tokens",
        ge=1,
    )
    temperature: float = setting("0 takes the likeliest token, more draws", source="NUGGETS: not stated", ge=0)
    stop: list[Annotated[str, setting("text that ends an answer", min_length=1)]] = setting(unique=True)
    turn_separator: str = setting(
        "text between the two turns of a dialogue",
        source="MT-Bench leaves it to the model's template",
    )
    batch_size: int = setting("answers written side by side; does not change them in float32", unit="answers", ge=1)


class Benchmarks(Settings):
    """The questions that fine-tuned models answer."""

    alpaca_eval: str | None = setting(
        "dataset of single instructions, judged in pairs (NUGGETS, table 1: AlpacaEval, 805); null: the rows "
        "that nuggets.sample sets aside",
        registry="datasets",
    )
    mt_bench: str = setting(
        "dataset of two-turn questions, graded from 1 to 10",
        source="NUGGETS, table 2: MT-Bench, 80",
        registry="datasets",
    )


class Judge(Settings):
    """Who judges the answers."""

    backend: Literal["openai", "local", "reference"] = setting(
        "who judges: an OpenAI-compatible endpoint (NUGGETS: GPT-4), a model of config/models.yaml, or the "
        "reference answers",
    )
    model: str = setting(
        "name of the judge: at the endpoint, in config/models.yaml, or any with backend reference",
        source="NUGGETS: GPT-4",
        min_length=1,
    )
    base_url: str | None = setting("address of another OpenAI-compatible endpoint; null: OpenAI's")
    key_variable: str = setting("environment variable that holds the key", min_length=1)
    swap: bool = setting(
        "judge each pair in both orders and take the mean",
        source="NUGGETS, figure of pairwise comparison",
    )
    max_new_tokens: int = setting("tokens after which a judgement is cut", unit="tokens", ge=1)
    cache: str = setting("folder of the answers that were paid for", min_length=1)
    timeout_s: float = setting("seconds after which a request counts as failed", unit="s", gt=0)
    attempts: int = setting("requests before the judge is given up", ge=1)
    parallel: int = setting("questions an endpoint is asked at the same time", unit="questions", ge=1)
    price_in: float = setting(
        "price of a million tokens read, for the cost said beforehand",
        unit="currency units per million tokens",
        ge=0,
    )
    price_out: float = setting("price of a million tokens written", unit="currency units per million tokens", ge=0)
    parameters: dict[str, Any] = setting(
        "further fields of each request to an endpoint, or others in place of max_tokens and temperature; null "
        "leaves one out",
    )
