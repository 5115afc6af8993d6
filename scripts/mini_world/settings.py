"""Settings of the shipped small models (config/mini_world.yaml): how they are trained and examined."""

from __future__ import annotations

from typing import Annotated, Mapping, Type

from scripts.common.fields import Name, Settings, Share, changes_of, setting
from scripts.data.settings import SyntheticMetaTasks
from scripts.mend.settings_train import Distill, DistillSettings

Beta = Annotated[float, setting("beta of AdamW", unit="share, 0 to 1", ge=0, le=1)]


class Evaluation(Settings):
    """How large the evaluation of the shipped causal models is."""

    documents: int = setting("classification documents with up to 15 demonstrations", ge=1)
    long_documents: int = setting("documents with 20 classes and up to 100 demonstrations", unit="documents", ge=1)
    candidates_per_family: int = setting("right candidates a family, and as many careless ones", ge=1)
    n_anchors: int = setting("anchors that each candidate is tried on", unit="anchors", ge=1)
    trials: int = setting("trials of the same-instruction question", unit="trials", ge=1)
    continuation_trials: int = setting("trials of right against careless answers, for each fault", unit="trials", ge=2)
    resamples: int = setting("resamples of the bootstrap", unit="resamples", ge=1)


class World(Settings):
    """How many topics and words the made-up world has."""

    n_topics: int = setting("topics of the world", unit="topics", ge=1)
    words_per_topic: int = setting("words a topic", unit="words", ge=4)
    n_held_out: int = setting("topics that no classification document shows", unit="topics", ge=0)


class FaultWeights(Settings):
    """How often a careless author has which fault, relative weights."""

    empty: float = setting("weight of authors who give no answer", ge=0)
    wrong: float = setting("weight of authors who give the answer to another input", ge=0)
    off_topic: float = setting("weight of authors who give words of some topic", ge=0)
    truncated: float = setting("weight of authors who give half an answer", ge=0)
    filler: float = setting("weight of authors who give filler words", ge=0)


class Mixture(Settings):
    """What a step of training reads."""

    lengths: list[
        Annotated[
            list[
                Annotated[
                    float,
                    setting(
                        "number",
                        ge=0,
                    ),
                ]
            ],
            setting(min_length=4, max_length=4),
        ]
    ] = setting(
        "rows: fewest classes, most classes, examples, share of the steps",
        min_length=1,
    )
    class_tokens: int = setting("tokens of classification documents a step", unit="tokens", ge=1)
    layout_shares: list[
        Annotated[
            float,
            setting(
                "share of a layout, a share in 0..1",
                unit="share, 0 to 1",
                ge=0,
                le=1,
            ),
        ]
    ] = setting("how often each layout of classification documents is used", min_length=3, max_length=3)
    scrambled_share: Share = setting(
        "classification documents whose classes are random groups of trained topics' words",
    )
    author_documents: int = setting("author documents a step", ge=0)
    author_tokens: int = setting("longest author document, tokens", unit="tokens", ge=1)
    short_share: Share = setting("author documents with one or two examples")
    neutral_share: Share = setting("author documents with neutral instruction words")
    careful_known: Share = setting("careful authors among known instructions")
    careful_neutral: Share = setting("careful authors among neutral instructions")
    fault_weights: FaultWeights
    plain_documents: int = setting("plain-text documents a step", ge=0)
    plain_tokens: int = setting("length of a plain-text document, tokens", unit="tokens", ge=1)
    plain_weight: float = setting("loss weight of plain text", ge=0)
    plain_held_out: Share = setting("plain text about held-out topics")
    guide_rows: int = setting("guided rows a document and head", ge=0)


class Course(Settings):
    """Steps of training and their learning rate."""

    steps: int = setting("training steps", unit="steps", ge=1)
    learning_rate: float = setting("peak learning rate of AdamW", ge=0)
    warmup_steps: int = setting("steps of linear warm-up", unit="steps", ge=0)
    decay_share: Share = setting("last part of the steps, over which the rate falls linearly")
    floor: Share = setting("final learning rate, as a part of its peak")


class Guided(Course):
    """Training that first says where to look."""

    guide_steps: int = setting("steps with full attention guidance", unit="steps", ge=0)
    guide_fade: int = setting("steps over which the guidance fades", unit="steps", ge=0)


class Stage(Guided):
    """A stage of training after the first."""

    mixture: Mixture = setting("what a step of the stage reads")


class Shipped(Course):
    """A shipped model and its training."""

    layers: int = setting("transformer layers", ge=1)
    width: int = setting("width of the residual stream", ge=1)
    heads: int = setting("attention heads", ge=1)
    hidden: int = setting("width of the feed-forward layer", ge=1)
    window: int = setting("longest context, tokens", unit="tokens", ge=1)
    weight_decay: float = setting("weight decay of AdamW", ge=0)
    betas: list[Beta] = setting("betas of AdamW", min_length=2, max_length=2)
    clip: float = setting("longest gradient (norm)", ge=0)
    evaluate_every: int = setting("steps between points of the curve", unit="steps", ge=1)
    checkpoint_every: int = setting("steps between checkpoints", unit="steps", ge=1)


class Causal(Shipped, Guided):
    """A shipped causal language model and its training."""

    mixture: Mixture
    later: list[Stage] = setting("stages after the first")
    evaluate_documents: int = setting("documents a point of the curve", unit="documents", ge=1)


class Encoder(Shipped):
    """The shipped encoder and its training."""

    spread: float = setting("standard deviation of the first weights", gt=0)
    topic_pairs: int = setting("pairs of texts about topics a step", unit="pairs", ge=1)
    instruction_pairs: int = setting("pairs of instruction examples a step", unit="pairs", ge=0)
    held_out_share: Share = setting("topic pairs about held-out topics, plain text only")
    mask_share: Share = setting("words hidden")
    evaluate_pairs: int = setting("pairs of texts a point of the curve and kind of topic", unit="pairs", ge=1)


class DistillerSettings(DistillSettings):
    """What all of them share; keys as in mend.finetune."""


class DistillerVariant(changes_of(Distill)):
    """Where a distiller starts, and what differs."""

    start: str = setting("the causal model or a distiller that stands before it")


class Distillers(Settings):
    """The shipped stage-1 distillers of MEND."""

    tasks: SyntheticMetaTasks = setting("sizes of the synthetic tasks they read")
    settings: DistillerSettings
    variants: dict[Name, DistillerVariant] = setting(
        "distillers by name: where each starts, and what differs from the settings above",
        min_length=1,
    )


class MiniWorld(Settings):
    """The shipped small models: how each is trained and examined."""

    seed: int = setting("seed of the training", ge=0)
    evaluate: Evaluation
    world: World
    causal: Causal
    small: Causal = setting("the smaller causal LM for distillers and generators; keys as for causal")
    encoder: Encoder
    distiller: Distillers


SECTIONS: Mapping[str, Type[Settings]] = {"mini_world": MiniWorld}
"""Keys of the config, and the class that says what they hold."""
