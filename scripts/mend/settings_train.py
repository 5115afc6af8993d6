"""Settings of MEND's training: distillers in two stages, and the baselines that are trained."""

from __future__ import annotations

from typing import Annotated, Any, Iterator, Literal, Mapping

from scripts.common.fields import Settings, Share, changes_of, setting
from scripts.lm.optimizer_options import DecayRule, EpsilonRule

DistillerName = Annotated[str, setting("a distiller", key_of="mend.variants")]
AdamEpsilon = Annotated[
    EpsilonRule,
    setting(
        "AdamW adds epsilon before the bias correction and decays after the step (MEND's and MetaICL's released "
        "code), or after and before (torch)",
    ),
]
Decaying = Annotated[
    DecayRule,
    setting(
        "which weights decay",
        source=(
            "MEND: all but biases and norms; MetaICL: all but names with bias or LayerNorm.weight, so GPT-2's norms do"
        ),
    ),
]


class Distill(Settings):
    """How a distiller is trained."""

    steps: int = setting("optimizer steps", source="MEND: 30,000", unit="steps", ge=0)
    batch_size: int = setting("demonstration sets in a step and device", source="MEND: 1", ge=1)
    accumulation: int = setting(
        "steps whose gradients are added up before the optimizer moves",
        source="MEND: 1",
        unit="steps",
        ge=1,
    )
    learning_rate: float = setting(
        "peak learning rate, linear decay",
        source="MEND: 5e-5 in stage 1, 1e-5 in stage 2",
        gt=0,
    )
    warmup_ratio: Share = setting(
        "share of the steps over which the learning rate rises",
        source="MEND: 0",
    )
    weight_decay: float = setting("AdamW's weight decay", source="MEND: 0", ge=0)
    max_grad_norm: float = setting("norm at which gradients are clipped", source="Trainer's default: 1", gt=0)
    adam_epsilon_rule: AdamEpsilon
    weight_decay_on: Decaying
    n_vectors: int = setting("L, distilled vectors that stand for the demonstrations", source="MEND: 100", ge=1)
    pooler: Literal["auto", "none", "tanh", "linear", "scaled"] = setting(
        "layer between distiller and language model; auto: tanh where their widths differ; scaled: linear, starts as "
        "the identity where they are equal, and gives its vectors the spread of embeddings of words",
        source="released code",
    )
    placeholder_start: Literal["normal", "vocabulary", "separator", "keep"] = setting(
        "where the placeholders start: a normal draw, random vocabulary embeddings (released code has both), "
        "that of the separator with noise, or those of the distiller that training starts from",
    )
    n_demonstrations: int = setting("K, demonstrations in a set", source="MEND: 16", ge=1)
    queries: int = setting("queries that share a demonstration set in a step", source="MEND: 1", unit="queries", ge=1)
    groups: int = setting(
        "batches into which the demonstrations are split before they are distilled",
        source="released code's FiD option: 1",
        ge=1,
    )
    cut: float = setting(
        "share of a text's tokens that plays the demonstrations in stage 1",
        source="released code: 0.8",
        unit="share, 0 to 1",
        gt=0,
        lt=1,
    )
    min_text_tokens: int = setting(
        "texts of stage 1 with fewer tokens are left out (10); one token stays on either side of the cut in any case",
        unit="tokens",
        ge=2,
    )
    model_dropout: bool = setting(
        "whether the frozen model's own dropout works in training, for teacher and student",
        source="MEND's released code: yes",
    )
    lm_weight: float = setting(
        "weight of the language-modelling loss on the answer",
        source="MEND: 0 in stage 1, 1 in stage 2",
        ge=0,
    )
    kl_weight: float = setting("lambda, weight of the distillation loss", source="MEND: 1", ge=0)
    hidden_weight: float = setting("weight of the alignment of hidden states", source="MEND's ablation; 0", ge=0)
    temperature: float = setting("temperature of both distributions in the distillation loss", source="MEND: 1", gt=0)
    query_weight: float = setting(
        "weight of the query's tokens in the distillation loss beside the answer's",
        source="released code: 1",
        ge=0,
    )
    evaluate_steps: int = setting(
        "steps between two evaluations that keep the best distiller (MEND: 2,000); 0 never",
        unit="steps",
        ge=0,
    )
    patience: int = setting(
        "evaluations in a row without a better score after which training ends (MEND's released code: 5); 0 never",
        unit="evaluations",
        ge=0,
    )
    dev_queries: int = setting("queries in such an evaluation", source="not in the paper", unit="queries", ge=1)
    save_steps: int = setting("steps between two checkpoints (MEND: 2,000); 0 never", unit="steps", ge=0)
    precision: Literal["auto", "float32", "bfloat16"] = setting("number format of training; auto asks the device")
    activation_checkpointing: bool = setting("whether activations are computed again to save memory")
    kl_chunk: int = setting(
        "positions whose distillation loss is computed at once; changes memory, not the loss",
        unit="positions",
        ge=1,
    )

    def misfits(self) -> Iterator[str]:
        """Yield what leaves nothing to learn from."""
        if not (self.lm_weight or self.kl_weight or self.hidden_weight):
            yield "lm_weight: is 0 like kl_weight and hidden_weight; one must be above 0"


class DistillSettings(Distill):
    """Settings of `scripts.mend.train_distiller`: what its variants share, or all of one."""

    stage: int = setting("what is read: 1 texts, 2 tasks", ge=1, le=2)


class Pretrain(Distill):
    """Stage 1, on texts."""

    stage: int = setting("which stage of training this is (1)", ge=1, le=1)

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a config holds for them."""
        return cls.kept(config["mend"]["pretrain"])


class Finetune(Distill):
    """Stage 2, on the meta-training tasks."""

    stage: int = setting("which stage of training this is (2)", ge=2, le=2)

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a config holds for them."""
        return cls.kept(config["mend"]["finetune"])


class Variant(changes_of(Distill)):
    """Where a distiller starts, and what differs from mend.finetune."""

    start: Literal["backbone", "distillation", "language_model"] = setting(
        "a plain model (backbone) or what stage 1 made, by distillation or by language modelling",
    )


class Groups(Settings):
    """Distillers to train."""

    main: list[DistillerName] = setting("for every setting and backbone", min_length=1, unique=True)
    ablation: list[DistillerName] = setting("for mend.study_settings and mend.backbone", unique=True)


class Tune(Settings):
    """MetaICL: the language model itself tuned on the meta-training tasks."""

    steps: int = setting("optimizer steps", source="MetaICL: 30,000", unit="steps", ge=1)
    batch_size: int = setting("examples in a step and device", unit="examples", ge=1)
    accumulation: int = setting("steps whose gradients are added up", unit="steps", ge=1)
    learning_rate: float = setting("peak learning rate", source="MetaICL: 1e-5", gt=0)
    warmup_ratio: Share = setting("share of the steps over which the learning rate rises")
    weight_decay: float = setting("AdamW's weight decay", ge=0)
    max_grad_norm: float = setting("norm at which gradients are clipped", gt=0)
    adam_epsilon_rule: AdamEpsilon
    weight_decay_on: Decaying
    average: Literal["tokens", "examples"] = setting(
        "what the loss of a batch is the mean of: all answer tokens (MEND's released code) or examples",
        source="MetaICL's",
    )
    n_demonstrations: int = setting("K", source="MetaICL: 16", ge=1)
    precision: Literal["auto", "float32", "bfloat16"] = setting("number format of training")
    activation_checkpointing: bool = setting("whether activations are computed again to save memory")
    save_steps: int = setting("steps between two checkpoints; 0 never", unit="steps", ge=0)

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a config holds for them."""
        return cls.kept(config["mend"]["tune"])


class PromptTuning(Settings):
    """Prompt tuning on the shots of each test task."""

    n_vectors: int = setting("vectors of a task", source="as many as MEND's L", unit="vectors", ge=1)
    steps: int = setting("optimizer steps", source="not in the sources", unit="steps", ge=1)
    batch_size: int = setting("examples in a step", unit="examples", ge=1)
    learning_rate: float = setting("learning rate", source="not in the sources", gt=0)
    adam_epsilon_rule: AdamEpsilon
    start: Literal["vocabulary", "normal"] = setting("where the vectors start")
    n_examples: int | None = setting("shots it learns from; null takes the whole file", source="MetaICL: 16", ge=1)
    tables_at_once: int = setting("tables trained side by side; changes speed, not results", ge=1)
