"""Settings of learning and judging in DELIFT."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from scripts.common.fields import Settings, setting
from scripts.lm.optimizer_options import Schedule


class Lora(Settings):
    """Adapters over all linear layers (DELIFT: rank 8, alpha 32, dropout 0.1)."""

    rank: int = setting("rank", ge=1)
    alpha: float = setting("numerator of their scale alpha / rank", gt=0)
    dropout: float = setting("dropout probability before them", unit="share, 0 to 1", ge=0, lt=1)


class Training(Settings):
    """How a model is trained on a subset."""

    method: Literal["full", "lora", "qlora"] = setting(
        "full: every weight; lora: adapters; qlora: adapters over 4-bit weights",
        source="DELIFT",
    )
    epochs: float = setting("passes over the subset", source="released code: 20", unit="epochs", gt=0)
    max_steps: int | None = setting("optimizer steps instead of epochs; null follows the epochs", unit="steps", ge=1)
    learning_rate: float = setting("peak step size of AdamW", source="released code: 2.5e-5", gt=0)
    schedule: Schedule = setting("fall of the learning rate", source="released code: constant")
    warmup_ratio: float = setting(
        "share of the steps in which the learning rate rises",
        source="released code: 0",
        unit="share, 0 to 1",
        ge=0,
        lt=1,
    )
    weight_decay: float = setting("decoupled weight decay per step", source="released code: 0.01", ge=0)
    max_grad_norm: float = setting("largest gradient norm; 0 does not clip", source="the trainer's default: 1", ge=0)
    batch_size: int = setting("examples of one forward pass", source="released code: 1", unit="examples", ge=1)
    accumulation: int = setting("forward passes per optimizer step", source="released code: 1", ge=1)
    max_tokens: int = setting("longest example in tokens", source="released code: 1024", unit="tokens", ge=2)
    loss_on: Literal["all", "response"] = setting(
        "all: prompt and response are learnt (released code); response: the response only",
    )
    optimizer: Literal["adamw", "paged_adamw_8bit"] = setting(
        "adamw, or paged_adamw_8bit",
        source="released code; CUDA",
    )
    activation_checkpointing: bool = setting("compute activations twice to save memory", source="released code: yes")
    lora: Lora


class Finetune(Settings):
    """Fine-tuning on a subset."""

    prompt: str = setting("template, a row of prompts", source="released code: Alpaca-like", key_of="prompts")
    peft: Training = setting("adapters", source="DELIFT: QLoRA")
    fft: Training = setting("all weights", source="third version of the paper")


class Generate(Settings):
    """How answers are written."""

    max_new_tokens: int = setting("longest answer", source="released code: 150", unit="tokens", ge=1)
    temperature: float = setting("0 takes the likeliest token", source="released code: 0.2", ge=0)
    min_p: float = setting(
        "least probability as a share of the likeliest token's",
        source="released code: 0.1",
        unit="share, 0 to 1",
        ge=0,
        le=1,
    )
    stop: list[Annotated[str, setting("one of: texts before which an answer ends", min_length=1)]] = setting(
        "texts before which an answer ends",
    )
    batch_size: int = setting(
        "prompts of one batch; no result depends on it",
        source="released code: 4",
        unit="prompts",
        ge=1,
    )


class Known(Settings):
    """When a model knows an answer (README of the released code)."""

    measure: Literal["exact_match", "rouge_1", "rouge_l", "bleu", "bge_cosine", "bert_score", "judge_score"] = setting(
        "one of delift.measures",
    )
    threshold: float = setting("least value", source="released code: 0.7")


class Judge(Settings):
    """The judge of answers, LAJ (DELIFT: Prometheus-7b-v2.0, grades 1 to 5)."""

    backend: Literal["openai", "local", "reference"] = setting(
        "openai: any compatible endpoint; local: a model here; reference: offline, agreement with the reference answer",
    )
    model: str = setting(
        "name at the endpoint; of a local one its name in config/models.yaml, or a folder or hub id",
        min_length=1,
    )
    base_url: str | None = setting("another OpenAI-compatible endpoint")
    key_variable: str = setting("environment variable with the endpoint's key; empty sends none")
    max_new_tokens: int = setting("longest judgement", unit="tokens", ge=1)
    cache: str = setting("folder of the endpoint's answers", min_length=1)
    timeout_s: float = setting("seconds to wait for an answer", unit="s", gt=0)
    attempts: int = setting("times to ask", unit="times", ge=1)
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


class Seeds(Settings):
    """One subset, training and sampling for each (DELIFT: one run)."""

    icl: list[Annotated[int, setting("one of: of learning in context", ge=0)]] = setting(
        "of learning in context",
        min_length=1,
        unique=True,
    )
    peft: list[Annotated[int, setting("one of: of adapters", ge=0)]] = setting("of adapters", min_length=1, unique=True)
    fft: list[Annotated[int, setting("one of: of full fine-tuning", ge=0)]] = setting(
        "of full fine-tuning",
        min_length=1,
        unique=True,
    )
