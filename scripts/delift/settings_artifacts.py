"""What DELIFT's tables and figures show."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Mapping

from scripts.common.fields import Settings, setting

Learning = Annotated[
    Literal["icl", "peft", "fft"],
    setting(
        "one of: ways of learning: icl in context, peft adapters, fft all weights",
        source="DELIFT, section 4",
    ),
]
MethodName = Annotated[str, setting("a row of delift.methods", key_of="delift.methods")]
Metric = Annotated[
    Literal[
        "exact_match",
        "rouge_1",
        "rouge_l",
        "bleu",
        "bge_cosine",
        "bert_score",
        "judge_score",
        "known_share",
        "reference_loglik_nats_per_token",
    ],
    setting(
        "one of: columns; known_share is the share of answers that reach delift.known, the last one the likelihood "
        "of the reference",
    ),
]


class Run(Settings):
    """A dataset pair and the model that scores and learns."""

    pair: str = setting("a row of delift.pairs", key_of="delift.pairs")
    model: str = setting("a row of config/models.yaml", registry="models")


class Also(Settings):
    """A further row at another size."""

    method: str = setting("a row of delift.methods", key_of="delift.methods")
    percent: int = setting("percent of the pool", unit="% of the pool", ge=1, le=100)


class Shown(Settings):
    """What a table or figure shows."""

    not_run: str | None = setting("why the artifact is left out of this tier; null runs it", min_length=1)
    runs: list[Run] = setting("what is compared", unique=True)
    methods: list[MethodName] = setting("rows in their order", min_length=1, unique=True)


class ShownLearnt(Shown):
    """What is shown of models that have learnt."""

    learnings: list[Learning] = setting(
        "ways of learning: icl in context, peft adapters, fft all weights",
        source="DELIFT, section 4",
        min_length=1,
        unique=True,
    )


class ShownMeasured(ShownLearnt):
    """What is shown of their answers."""

    metrics: list[Metric] = setting(
        "columns; known_share is the share of answers that reach delift.known, the last one the likelihood of "
        "the reference",
        min_length=1,
        unique=True,
    )


class Table(ShownMeasured):
    """A table of results."""

    also: list[Also] = setting("further rows at another size")


class TableSelectionQuality(Shown):
    """What is chosen, held against what is known of the pool (beyond the paper)."""

    also: list[Also] = setting("further rows at another size")


class FigureSubsetSize(ShownMeasured):
    """Result by size of the subset (DELIFT, ablation)."""

    percents: list[
        Annotated[
            int,
            setting(
                "one of: sizes, percent of the pool",
                unit="% of the pool",
                ge=1,
                le=100,
            ),
        ]
    ] = setting("sizes, percent of the pool", min_length=1, unique=True)


class FigureLaj(ShownLearnt):
    """Distribution of the judge's grades (DELIFT)."""


class FigureStages(ShownMeasured):
    """Results of all stages with their intervals (beyond the paper)."""


class TableTime(Shown):
    """Wall-clock time of choosing (third version of the paper)."""


class MapSettings(Settings):
    """Maps of the examples, on the interactive page: settings of `scripts.delift.map_examples`."""

    max_points: int = setting("points of a map, drawn at random", unit="points", ge=10)
    perplexity: float = setting("of t-SNE", source="released code: 15", gt=0)
    seed: int = setting("of t-SNE", source="released code: 42", ge=0)
    learning_rate: float = setting("of t-SNE", source="released code: 200", gt=0)

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a config holds for them."""
        return cls.kept(config["delift"]["viewer"])


class Viewer(MapSettings):
    """The interactive page."""

    percents: list[
        Annotated[
            int,
            setting(
                "one of: sizes of the view of gain and information, percent of the pool",
                unit="% of the pool",
                ge=1,
                le=100,
            ),
        ]
    ] = setting("sizes of the view of gain and information, percent of the pool", min_length=1, unique=True)
