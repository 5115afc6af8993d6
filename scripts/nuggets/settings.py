"""NUGGETS' settings (config/papers/nuggets.yaml), with what its tables and figures show."""

from __future__ import annotations

from typing import Annotated, Literal, Mapping, Type

from scripts.common.fields import Name, Settings, setting
from scripts.nuggets.settings_choose import AnchorSet, Method, PoolLimit, Sample
from scripts.nuggets.settings_embed import Embed
from scripts.nuggets.settings_finetune import Finetune
from scripts.nuggets.settings_generate import Generate
from scripts.nuggets.settings_judge import Benchmarks, JudgeSettings
from scripts.nuggets.settings_score import Score

MethodName = Annotated[str, setting("a row of nuggets.methods", key_of="nuggets.methods")]
GoldenScore = Annotated[
    float,
    setting(
        "golden score, share of anchors that the example helps with, 0 to 1",
        source="NUGGETS, section 2.3",
        unit="share, 0 to 1",
        ge=0,
        le=1,
    ),
]


class WinTable(Settings):
    """A table of subsets, by one anchor set."""

    anchors: str | None = setting(
        "anchor set whose scores are shown or choose the subsets; null is nuggets.anchors",
        key_of="nuggets.anchor_sets",
    )
    methods: list[MethodName] = setting(min_length=1, unique=True)


class Table3(Settings):
    """AlpacaEval by anchor set."""

    anchor_sets: list[Annotated[str, setting("a row of nuggets.anchor_sets", key_of="nuggets.anchor_sets")]] = setting(
        min_length=1,
        unique=True,
    )
    methods: list[MethodName] = setting(min_length=1, unique=True)


class TableBaselines(Settings):
    """Subsets of equal size."""

    methods: list[MethodName] = setting(min_length=1, unique=True)


class FigureScores(Settings):
    """Golden scores in ascending order."""

    anchors: str | None = setting(
        "anchor set whose scores are shown or choose the subsets; null is nuggets.anchors",
        key_of="nuggets.anchor_sets",
    )
    thresholds: list[GoldenScore] = setting(min_length=1, unique=True)


class TableReleasedCounts(Settings):
    """Golden scores that the authors released."""

    dataset: str | None = setting(
        "data set of schema scored; null: none were released for the pool",
        registry="datasets",
    )
    model: str = setting("model that gave the scores")
    anchors: str = setting("anchor set by which they were given", pattern="^[a-z0-9_]+$")
    thresholds: list[
        Annotated[
            float,
            setting(
                "golden score, share of anchors that the example helps with, 0 to 1",
                unit="share, 0 to 1",
                ge=0,
                le=1,
            ),
        ]
    ] = setting(min_length=1, unique=True)


class FigurePairwise(Settings):
    """Wins, ties and losses."""

    anchors: str | None = setting(
        "anchor set whose scores are shown or choose the subsets; null is nuggets.anchors",
        key_of="nuggets.anchor_sets",
    )
    reference: str = setting(
        "method against which the others are judged, a row of nuggets.methods",
        key_of="nuggets.methods",
    )
    methods: list[MethodName] = setting(min_length=1, unique=True)


class FigureAnchorSizes(Settings):
    """How the ranking depends on the number of anchors."""

    sizes: list[Annotated[int, setting("number of anchors drawn from the main set", ge=1)]] = setting(
        min_length=1,
        unique=True,
    )
    draws: int = setting("random draws of each size", ge=1)


class TableReleased(Settings):
    """Our scores beside the released ones (not in the paper)."""

    resamples: int = setting("bootstrap samples of the rows", ge=100)


class TableRacing(Settings):
    """Anchors saved by stopping early."""

    thresholds: list[GoldenScore] = setting(min_length=1, unique=True)


class TableCases(Settings):
    """Single examples."""

    n: int = setting("highest and lowest scored examples shown", ge=1)


class Nuggets(Settings):
    """NUGGETS: training data chosen by one-shot scores."""

    dataset: str = setting(
        "pool to choose from, a row of config/datasets.yaml",
        source="NUGGETS, section 3.1: Alpaca, 52,002 examples",
        registry="datasets",
    )
    model: str = setting(
        "model that scores the pool and is then fine-tuned, a row of config/models.yaml",
        source="NUGGETS: LLaMA-7B",
        registry="models",
    )
    limit: PoolLimit
    pool_size: int = setting(
        "rows of the pool, so that the scoring jobs are known before it is there",
        source="NUGGETS: 52,002",
        unit="rows",
        ge=1,
    )
    truth: str | None = setting(
        "data set that knows which rows of the pool are good; null where nobody does",
        source="not in the paper",
        registry="datasets",
    )
    truth_form: Literal["truth", "good_rows", "bad_rows"] = setting(
        "what nuggets.truth holds: the quality of each row of a synthetic pool, or the pool's good or bad rows",
        source="not in the paper",
    )
    truth_scores: str | None = setting(
        "data set of schema scored: released scores of the rows that nuggets.truth lists",
        source="not in the paper",
        registry="datasets",
    )
    sample: Sample
    anchor_dataset: str = setting(
        "dataset from which anchors are drawn",
        source="NUGGETS: the pool itself",
        registry="datasets",
    )
    anchors: str = setting(
        "main anchor set, a row of nuggets.anchor_sets",
        source="NUGGETS: 100 by K-means",
        key_of="nuggets.anchor_sets",
    )
    anchor_sets: dict[Name, AnchorSet] = setting("anchor sets by name", min_length=1)
    embed: Embed
    score: Score
    methods: dict[Name, Method] = setting("subsets by name", min_length=1)
    subset_fraction: float = setting(
        "size of the subsets without a threshold, as a share of the pool",
        source="NUGGETS: 7,525 of 52,002 score above 0.8",
        unit="share, 0 to 1",
        gt=0,
        le=1,
    )
    seeds: list[
        Annotated[
            int,
            setting(
                "seed of subset, fine-tuning and answers; the spread over them is reported",
                source="NUGGETS: one run",
                ge=0,
            ),
        ]
    ] = setting(min_length=1, unique=True)
    finetune: Finetune
    runs_per_job: int = setting("subsets whose models one job trains, and another lets answer", unit="subsets", ge=1)
    keep_models: bool = setting("keep fine-tuned models after their answers are written (a LLaMA-7B is 13 GB)")
    generate: Generate
    benchmarks: Benchmarks
    judge: JudgeSettings
    table_1: WinTable = setting("AlpacaEval win rates")
    table_2: WinTable = setting("MT-Bench grades")
    table_3: Table3
    table_baselines: TableBaselines
    figure_scores: FigureScores
    table_released_counts: TableReleasedCounts
    figure_pairwise: FigurePairwise
    figure_anchor_sizes: FigureAnchorSizes
    table_released: TableReleased
    table_racing: TableRacing
    table_cases: TableCases


SECTIONS: Mapping[str, Type[Settings]] = {"nuggets": Nuggets}
"""Keys of the config, and the class that says what they hold."""
