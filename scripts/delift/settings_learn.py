"""Settings of learning and judging in DELIFT."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Mapping

from scripts.common.fields import Settings, Share, setting
from scripts.common.prompt_settings import BatchTokens, PromptTemplates
from scripts.delift.settings_choose import Shots, Vectors
from scripts.judging.settings import JudgeBackend
from scripts.lm.optimizer_options import Schedule

Measure = Literal["exact_match", "rouge_1", "rouge_l", "bleu", "bge_cosine", "bert_score", "judge_score"]
Measures = Annotated[
    list[Annotated[Measure, setting("one of: measures taken of each answer")]],
    setting("measures taken of each answer", min_length=1, unique=True),
]


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
    min_p: Share = setting(
        "least probability as a share of the likeliest token's",
        source="released code: 0.1",
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


class EvaluateSettings(Settings):
    """Settings of `scripts.delift.evaluate_subsets`."""

    prompt: PromptTemplates
    shots: Shots
    finetune: Training
    generate: Generate
    batch_tokens: BatchTokens

    @classmethod
    def of(cls, config: Mapping[str, Any], learning: str = "peft") -> dict[str, Any]:
        """Return what a config holds for one way of learning: icl, peft or fft."""
        own = config["delift"]
        prompt = own["prompt"] if learning == "icl" else own["finetune"]["prompt"]
        tuned = {"finetune": own["finetune"]["fft" if learning == "fft" else "peft"]}
        return cls.kept(config["compute"], own, {"prompt": config["prompts"][prompt]}, tuned)


class Known(Settings):
    """When a model knows an answer (README of the released code)."""

    measure: Measure = setting("one of delift.measures")
    threshold: float = setting("least value", source="released code: 0.7")


class Judge(JudgeBackend):
    """The judge of answers, LAJ (DELIFT: Prometheus-7b-v2.0, grades 1 to 5)."""


class AnswerVectors(Vectors):
    """How answers are compared by their meaning."""

    batch_tokens: BatchTokens


class ScoreSettings(Settings):
    """Settings of `scripts.delift.score_answers`."""

    measures: Measures
    embed: AnswerVectors
    judge: Judge
    known: Known | None = setting("when a model knows an answer; null where its measure is not among these")
    likelihood: bool = setting("keep the answers and the likelihood of the reference")

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a config holds for them: all measures at once, which the workflow takes in several jobs."""
        own = config["delift"]
        vectors = AnswerVectors.kept(config["compute"], own["embed"])
        return cls.kept(own, {"embed": vectors, "likelihood": True})


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
