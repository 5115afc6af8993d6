"""Settings of DDG's training: stages A and B, and the learners of evaluation A."""

from __future__ import annotations

from typing import Annotated, Literal

from scripts.common.fields import Settings, changes_of, setting
from scripts.lm.optimizer_options import DecayRule, EpsilonRule, Schedule, WarmupRounding

TextColumns = Annotated[
    list[Annotated[str, setting("name of a text column")]],
    setting("text columns, one or two", min_length=1, max_length=2),
]
MaxTokens = Annotated[
    int,
    setting("longest generated text with its markers, tokens", source="DiLM: 68, 313, 421", unit="tokens", ge=4),
]
Pooling = Annotated[
    Literal["model", "first", "mean"],
    setting("what its classifier reads: the architecture's own head, the first token's or the mean embedding"),
]


class Optimizer(Settings):
    """Optimiser: AdamW with warm-up."""

    learning_rate: float = setting("peak step size of AdamW", source="DiLM, released settings", gt=0)
    schedule: Schedule = setting("how the step size falls after the warm-up", source="DiLM: cosine")
    warmup_ratio: float = setting(
        "share of the steps in which the step size rises from 0",
        unit="share, 0 to 1",
        ge=0,
        le=1,
    )
    weight_decay: float = setting("of AdamW", source="DiLM: 0.01", ge=0)
    max_grad_norm: float = setting("largest 2-norm of the gradient, 0 does not clip", source="DiLM: 1", ge=0)
    weight_decay_on: DecayRule = setting(
        "which weights decay",
        source="DiLM: all but names with bias or LayerNorm.weight, so GPT-2's norms do",
    )
    warmup_rounding: WarmupRounding = setting("steps of the warm-up: share times steps as it is (DiLM), or rounded up")
    adam_epsilon_rule: EpsilonRule = setting(
        "whether AdamW adds epsilon after the bias correction (DiLM: torch) or before it",
    )


class Pretraining(Settings):
    """Stage A: the generator learns to write texts of a class."""

    steps: int = setting("updates of stage A", source="DiLM: 80,000", unit="steps", ge=1)
    batch_size: int = setting("texts of an update", source="DiLM: 64", unit="texts", ge=1)
    optimizer: Optimizer
    loss_norm: Literal["padded", "tokens"] = setting(
        "by what a text's loss is divided: its padded length, as released, or its own tokens",
    )
    pad_multiple: int = setting("padded lengths are multiples of this many tokens", source="DiLM: 8", ge=1)
    save_steps: int = setting("updates between two checkpoints, 0 = none", unit="steps", ge=0)


class Representative(Settings):
    """Representative teacher."""

    versions: int = setting("K-means choices of representative texts", source="DiLM: 10", ge=1)
    size: int = setting("texts a class in each", source="DiLM: 200", unit="texts", ge=1)


class MatchingLearner(Settings):
    """How the learner is trained between the steps."""

    max_tokens: int = setting("longest text that the learner reads, tokens", unit="tokens", ge=1)
    batch_size: int = setting("texts of a learner update", source="DiLM: 64", unit="texts", ge=1)
    read_batch_size: int = setting("texts of a pass without update; speed only", unit="texts", ge=1)
    optimizer: Optimizer


class MatchingChoices(Settings):
    """What a variant of stage B may change."""

    outer_loops: int = setting("learners begun anew", source="DiLM: 2,000", unit="learners", ge=1)
    inner_steps: int = setting("generator updates in each", source="DiLM: 10", unit="steps", ge=1)
    learner_steps: int = setting("learner updates between two of these", source="DiLM: 20", unit="steps", ge=0)
    synthetic_per_class: int = setting("generated texts a class and step", source="DiLM: 64", ge=1)
    real_per_class: int = setting("real texts a class and step", source="DiLM: 200", ge=1)
    temperature: float = setting("tau of the texts' weights softmax(-loss / tau)", source="DiLM: 1", gt=0)
    lm_weight: float = setting(
        "lambda: share of the language-modelling loss",
        source="DiLM: 0",
        unit="share, 0 to 1",
        ge=0,
        le=1,
    )
    lm_batch_size: int = setting("real texts of that loss", ge=1)
    loss_norm: Literal["padded", "tokens"] = setting(
        "by what a text's loss is divided: its padded length, as released, or its own tokens",
    )
    pad_multiple: int = setting("padded lengths are multiples of this many tokens", source="DiLM: 8", ge=1)
    dropout: bool = setting("whether the generator drops units while it is trained", source="DiLM: true")
    generator_batch: int = setting(
        "texts in one pass of the generator, 0 = all of a step; memory only",
        unit="texts",
        ge=0,
    )
    clusters: int = setting(
        "clusters of the diverse mini-batches (DiLM: 64), 0 takes texts as drawn",
        unit="clusters",
        ge=0,
    )
    interval: int = setting("outer loops for which generated texts are kept", source="DiLM: 20", ge=1)
    teacher: Literal["off", "ema"] = setting(
        "off: DiLM, and DDG as released; ema: DDG as described, generated texts' gradients at a moving average",
    )
    teacher_init: Literal["shared", "independent"] = setting(
        "whether the teacher's classifier begins as the learner's or by a draw of its own",
    )
    teacher_decay: float = setting(
        "of the teacher's moving average, for each learner update",
        source="DDG's code: 0.99",
        unit="share, 0 to 1",
        ge=0,
        le=1,
    )
    monitor_texts: int = setting("real texts on which the generator's loss is watched", ge=0)
    save_loops: int = setting("outer loops between two checkpoints, a multiple of interval, 0 = none", ge=0)
    representative: Representative | None = setting("representative teacher; null takes random real texts")


class Matching(MatchingChoices):
    """Stage B: gradient matching."""

    optimizer: Optimizer
    learner: MatchingLearner


class Variant(changes_of(MatchingChoices)):
    """What differs from ddg.matching."""


class LearnerTerms(Settings):
    """How the learners of evaluation A are trained and tested."""

    models: int = setting("learners trained on each set", source="DiLM: 5", unit="learners", ge=1)
    steps: int = setting("updates", source="DiLM: 200", unit="steps", ge=1)
    full_steps: int = setting("updates on all texts", unit="steps", ge=1)
    batch_size: int = setting("texts of an update, or the whole set", source="DiLM: 64", unit="texts", ge=1)
    optimizer: Optimizer
    max_tokens: int = setting("longest text in tokens", unit="tokens", ge=1)
    dropout: bool = setting("whether units are dropped while training", source="DiLM: true")
    parallel: int = setting("learners trained at once", unit="learners", ge=1)
    test_batch_size: int = setting("test texts a pass; speed only", ge=1)


class LearnerEvaluation(LearnerTerms):
    """Evaluation A: learners trained on the sets."""

    full: bool = setting("whether learners are trained on all texts too")
