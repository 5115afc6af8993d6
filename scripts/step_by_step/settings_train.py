"""Settings of training in Distilling Step-by-Step."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Mapping

from scripts.common.fields import Settings, changes_of, setting
from scripts.lm.optimizer_options import DecayRule, EpsilonRule
from scripts.step_by_step import equations, student

Way = Annotated[student.Way, setting("way of training", source="section 3.2, equations 1 to 5")]
Form = Annotated[Literal["esnli", "anli1", "cqa", "svamp", "asdiv", "generic"], setting("wording of the set's answers")]
Blanks = Annotated[equations.Blanks, setting("whether blanks around text answers are compared (code) or ignored")]
UnknownWords = Annotated[
    equations.UnknownWords,
    setting(
        "what becomes of a label's words that the tokenizer lacks: left out of it (code), or no answer is right",
    ),
]
Dropout = Annotated[
    float | None,
    setting("dropout probability; null: the model's own (T5 v1.1: 0.1)", unit="share, 0 to 1", ge=0, lt=1),
]
Together = Annotated[
    bool,
    setting(
        "one job computes all students of a data set, model and way of training as a stack: for small models on a CPU",
    ),
]


class Train(Settings):
    """How every student is trained."""

    alpha: float = setting(
        "weight of the label's loss; the rationale's is 1 - alpha",
        source="section 3.2: lambda, not stated; code: 0.5",
        unit="share, 0 to 1",
        ge=0,
        le=1,
    )
    learning_rate: float = setting("peak learning rate of AdamW", source="appendix A.1: 5e-5", gt=0)
    batch_size: int = setting(
        "rows per device and forward pass",
        source="appendix A.1: 64, T5-XXL 32",
        unit="rows",
        ge=1,
    )
    accumulation: int = setting("forward passes of one optimiser step", source="code: 1", unit="steps", ge=1)
    max_steps: int = setting("optimiser steps", source="appendix A.1: 10,000, T5-XXL 4,000", unit="steps", ge=1)
    eval_steps: int = setting("optimiser steps between two evaluations", source="code: 250", unit="steps", ge=1)
    save_steps: int = setting("optimiser steps between two checkpoints; 0: none", unit="steps", ge=0)
    warmup_steps: int = setting(
        "optimiser steps in which the learning rate rises",
        source="code: 0",
        unit="steps",
        ge=0,
    )
    weight_decay: float = setting("AdamW's weight decay", source="code: 0", ge=0)
    weight_decay_on: DecayRule = setting("which weights decay", source="code: all but biases and norms")
    adam_epsilon_rule: EpsilonRule = setting(
        "whether AdamW adds epsilon before the bias correction (code: transformers 4.24) or after it (torch)",
    )
    max_grad_norm: float = setting("length to which a longer gradient is cut; 0: never", source="code: 1", ge=0)
    token_mean: Literal["micro_batch", "step"] = setting(
        "mean of the losses over the tokens of each forward pass (code) or of the whole step",
    )
    max_input_length: int = setting(
        "tokens after which an input is cut",
        source="appendix A.1: 1,024",
        unit="tokens",
        ge=2,
    )
    max_target_length: int = setting(
        "tokens after which a label or rationale is cut",
        source="code: 256",
        unit="tokens",
        ge=2,
    )
    gen_max_len: int = setting(
        "tokens after which a written label is cut",
        source="code: 64 with the start token",
        unit="tokens",
        ge=1,
    )
    eval_batch_size: int = setting(
        "rows answered side by side; does not change the answers in float32",
        unit="rows",
        ge=1,
    )
    bf16: bool = setting("bfloat16 arithmetic over float32 weights; needs a GPU that has it", source="code: a switch")


class TrainTerms(Train):
    """How the students of a job are trained: what all share, their way of training and their data set's form."""

    method: Way
    form: Form
    metric: equations.Metric = setting("what counts as right: equal text, or an equation's equal value")
    blanks: Blanks
    unknown_words: UnknownWords


class TrainSettings(TrainTerms):
    """What a trained student depends on, beside its model, rows and seed."""

    label_type: student.LabelType = setting("whose labels are learnt: the gold ones or the teacher's")
    output_rationale: bool = setting("whether rationales are written for the test rows too")


class JobSettings(Settings):
    """Settings of `scripts.step_by_step.train_models`."""

    train: TrainTerms
    together: Together
    dropout: Dropout

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a config holds for them; way and form are a student's and a data set's own."""
        own = config["step_by_step"]
        kept = {key: own[key] for key in ("blanks", "unknown_words")}
        return cls.kept(own, {"train": {**own["train"], **kept}})


class Overrides(changes_of(Train)):
    """Settings of train that differ for one data set, model or method."""


class MiniModel(Settings):
    """A shipped T5 model and its training."""

    d_model: int = setting("width of the model", ge=1)
    d_kv: int = setting("width of an attention head", ge=1)
    d_ff: int = setting("width of the feed-forward layers", ge=1)
    layers: int = setting("layers of encoder and decoder each", unit="layers", ge=1)
    heads: int = setting("attention heads", ge=1)
    buckets: int = setting("buckets of relative positions", ge=2)
    max_distance: int = setting("distance in words from which on all positions look alike", ge=2)
    texts: int = setting("unlabelled texts to read", ge=1)
    steps: int = setting("optimiser steps", unit="steps", ge=1)
    batch_size: int = setting("texts in one step", unit="texts", ge=1)
    learning_rate: float = setting("peak learning rate of AdamW", gt=0)
    warmup_steps: int = setting("optimiser steps in which the learning rate rises", unit="steps", ge=0)
    weight_decay: float = setting("AdamW's weight decay", ge=0)
    clip: float = setting("length to which a longer gradient is cut", gt=0)
    noise_share: float = setting("share of the words that are hidden (T5: 0.15)", unit="share, 0 to 1", gt=0, lt=1)
    mean_span: float = setting("mean number of hidden words in a row (T5: 3)", ge=1)
    curve_every: int = setting("optimiser steps between two points of the curve", unit="steps", ge=1)
