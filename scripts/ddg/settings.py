"""DDG's settings (config/papers/ddg.yaml), put together from its groups."""

from __future__ import annotations

from typing import Annotated, Literal, Mapping, Type

from scripts.common.fields import Name, Settings, Slug, setting
from scripts.ddg.settings_artifacts import (
    FigureSensitivity,
    FigureTraining,
    MethodName,
    Table1,
    Table2,
    Table3,
    Table4,
    Table7,
    Table8,
    TableAblation,
    TableExamples,
    TableLong,
    TableMain,
    TablePaired,
    TaskName,
)
from scripts.ddg.settings_sets import Coreset, InContext, Retriever, Selection, Sets, Turns
from scripts.ddg.settings_train import (
    LearnerEvaluation,
    Matching,
    MaxTokens,
    Pooling,
    Pretraining,
    TextColumns,
    Variant,
)


class Task(Settings):
    """One classification task."""

    title: str = setting("printed name", min_length=1)
    dataset: str = setting("a row of config/datasets.yaml (checked for the tasks that are used)", min_length=1)
    train: str = setting("split to distil")
    test: str = setting("split to evaluate on", source="DiLM, DDG: GLUE's validation")
    limit: int | None = setting("rows of a random sub-sample of the training split; null takes all", unit="rows", ge=1)
    text_columns: TextColumns
    max_tokens: MaxTokens
    metric: Literal["accuracy", "matthews", "accuracy_f1_mean"] = setting("what is shown of the learners")
    prompt: str = setting("file of config/prompts/ddg without its ending", pattern="^[a-z0-9_]+$")
    turns: Turns
    released: str | None = setting(
        "data set with released sets, splits dpc<size>_<draw>; null where there is none",
        min_length=1,
    )


class Learner(Settings):
    """A learner."""

    model: str = setting("encoder, a row of config/models.yaml", registry="models")
    pooling: Pooling


class Method(Settings):
    """A method."""

    by: Literal["coreset", "generator", "released", "retrieval", "self_written"] = setting(
        "where the demonstrations come from",
    )
    select: Literal[Coreset, Retriever] | None = setting(
        "how real texts are chosen: random, k_centers, herding for sets; bm25, knn for each query",
    )
    variant: str | None = setting("training of stage B that writes, a row of ddg.variants; null: stage A's generator")
    selection: Selection | None = setting("which of the over-sampled texts are kept: K-means members or the first ones")


class Converted(Settings):
    """Columns of the sets as parquet."""

    label_text: bool = setting("whether a column label_text holds each label's name", source="DDG's converter: no")
    names: dict[
        str,
        Annotated[
            dict[
                str,
                Annotated[
                    str,
                    setting(
                        "name of the column in the file",
                        min_length=1,
                    ),
                ],
            ],
            setting("column of the set: its name in the file"),
        ],
    ] = setting(
        "what columns are called instead, by task",
        source="DDG's scripts: text, labels",
    )
    label_lists: list[Annotated[str, setting("task")]] = setting(
        "tasks whose labels are lists of one number",
        source="DDG's scripts: GoEmotions",
        unique=True,
    )


class Distil(Settings):
    """What the target ddg_distil makes."""

    tasks: list[TaskName] = setting("tasks", unique=True)
    methods: list[MethodName] = setting("methods shown, rows of ddg.methods", min_length=1, unique=True)


class Ddg(Settings):
    """DiLM and DDG: texts written to stand for a data set."""

    tasks: dict[Slug, Task] = setting("tasks by name", min_length=1)
    seeds: list[Annotated[int, setting("seed", ge=0)]] = setting(
        "seeds of the whole pipeline",
        source="DiLM: one",
        min_length=1,
        unique=True,
    )
    generator: str = setting(
        "language model that learns to write (DiLM, DDG: GPT-2), a row of config/models.yaml",
        registry="models",
    )
    learner: str = setting(
        "learner that matching, coresets and ablations use, a row of ddg.learners",
        key_of="ddg.learners",
    )
    learners: dict[Name, Learner] = setting("learners by name", min_length=1)
    together: bool = setting(
        "one job trains a learner for all methods that are wanted in the same sizes, one asks a model about all; "
        "else a job for each method and size",
    )
    pretraining: Pretraining
    matching: Matching
    variants: dict[Name, Variant] = setting(
        "trainings of stage B by name: what differs from ddg.matching",
        min_length=1,
    )
    methods: dict[Name, Method] = setting("methods by name", min_length=1)
    sets: Sets
    learner_evaluation: LearnerEvaluation
    in_context: InContext
    converted: Converted
    distil: Distil
    table_1: Table1
    table_2: Table2
    table_7: Table7
    table_8: Table8
    table_3: Table3
    table_4: Table4
    table_paired: TablePaired
    table_main: TableMain
    table_long: TableLong
    table_ablation: TableAblation
    figure_sensitivity: FigureSensitivity
    figure_training: FigureTraining
    table_examples: TableExamples


SECTIONS: Mapping[str, Type[Settings]] = {"ddg": Ddg}
"""Keys of the config, and the class that says what they hold."""
