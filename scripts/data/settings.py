"""Settings of the made-up data and of the task files."""

from __future__ import annotations

from typing import Annotated, Literal, Mapping, Type

from scripts.common.fields import Settings, Share, setting
from scripts.data.settings_mixed import MixedPool


class SyntheticCorpus(Settings):
    """The synthetic corpus (scripts/data/)."""

    pool_size: int = setting("instructions in the synthetic pool", unit="instructions", ge=1)
    good_share: Share = setting("share of the pool by careful authors")
    duplicate_share: Share = setting("share of the pool that repeats another row nearly word for word")
    anchor_size: int = setting("instructions by careful authors to draw anchors from", unit="instructions", ge=1)
    eval_size: int = setting("single instructions of the synthetic AlpacaEval", ge=1)
    baseline_care: Share = setting("share of right answers of the baseline that others are judged against")
    mt_bench_size: int = setting("two-turn questions of the synthetic MT-Bench", ge=1)
    task_train: int = setting(
        "training examples of each label of a synthetic task, or in all where answers are free",
        ge=1,
    )
    task_dev: int = setting("development examples, counted likewise", ge=1)
    task_test: int = setting("test examples of a synthetic task", ge=1)


class SyntheticClassification(Settings):
    """The synthetic classification tasks that DDG distils (scripts/data/synthetic_classification.py)."""

    train: int = setting("training rows of a task", ge=1)
    test: int = setting("test rows of a task", ge=1)
    uninformative_share: float = setting(
        "share of the training texts of filler words, at most one word of their topic",
        unit="share, 0 to 1",
        ge=0,
        lt=1,
    )
    noise_share: float = setting(
        "share of the training rows with the label of another class",
        unit="share, 0 to 1",
        ge=0,
        lt=1,
    )
    sub_topics: int = setting("topics of a class in the tasks of two, three and four classes", unit="topics", ge=1)


class SyntheticPools(Settings):
    """The synthetic pools of DELIFT's three stages (scripts/data/synthetic_pools.py)."""

    families: list[Annotated[str, setting("a family")]] = setting(
        "instruction families in the pools (scripts/data/synthetic_instructions.py), each asked for by a neutral word",
        min_length=2,
        unique=True,
    )
    pool_size: int = setting("examples to choose from, in each stage", unit="examples", ge=1)
    crowded_families: int = setting("stage 1: families that repeat a few prototypes", ge=1)
    crowded_share: Share = setting("stage 1: share of the pool that these families fill together")
    prototypes: int = setting("stage 1: different questions of each crowded family", ge=1)
    careless_share: Share = setting("stage 2: share of the pool with a wrong, cut, empty or beside-the-point answer")
    query_families: int = setting("stage 2: families that the query set asks for", ge=1)
    query_size: int = setting("stage 2: examples of the clean query set", ge=1)
    existing_families: int = setting("stage 3: families that the data at hand cover", ge=1)
    existing_size: int = setting("stage 3: examples at hand", ge=1)
    validation_size: int = setting("validation examples of each stage", ge=1)
    test_size: int = setting("test examples of each stage", ge=1)


class TeacherErrors(Settings):
    """Share of a teacher's answers that are wrong or unreadable."""

    palm: Share = setting("of the better teacher")
    neox: Share = setting("of the worse teacher")


class SyntheticReasoning(Settings):
    """The synthetic reasoning sets (scripts/data/synthetic_reasoning.py)."""

    train_size: int = setting("training rows of a set", ge=2)
    valid_size: int = setting("validation rows of the set that has a file of its own for them", ge=1)
    test_size: int = setting("test rows of a set", ge=1)
    augment_size: int = setting("word problems that augment the training rows of another set", ge=1)
    teacher_errors: TeacherErrors
    malformed_share: Share = setting("share of a teacher's errors that leave the form of an answer")


class Tasks(Settings):
    """MetaICL-like task files."""

    names: list[Annotated[str, setting("task file to prepare; an empty list takes all", min_length=1)]] = setting(
        unique=True,
    )
    shots: int = setting("examples in a training file", source="MetaICL: 16", unit="examples", ge=1)
    seeds: list[
        Annotated[
            int,
            setting(
                "seed of a draw of the training file",
                source="MetaICL: 100, 13, 21, 42, 87",
                ge=0,
            ),
        ]
    ] = setting(min_length=1, unique=True)
    sampling: Literal["per_label", "total"] = setting(
        "whether shots counts for each label or in all",
        source="CrossFit: per_label, MetaICL: total",
    )


class SyntheticMetaTasks(Settings):
    """Sizes of the synthetic tasks and texts for meta-training."""

    train_tasks: int = setting("tasks to train on", unit="tasks", ge=1)
    dev_tasks: int = setting("tasks to choose the best checkpoint by", unit="tasks", ge=1)
    rows_per_task: int = setting("rows of each", unit="rows", ge=1)
    texts: int = setting("texts of stage 1", unit="texts", ge=1)


SECTIONS: Mapping[str, Type[Settings]] = {
    "synthetic": SyntheticCorpus,
    "synthetic_classification": SyntheticClassification,
    "synthetic_pools": SyntheticPools,
    "mixed_pool": MixedPool,
    "synthetic_reasoning": SyntheticReasoning,
    "tasks": Tasks,
}
"""Keys of the config, and the class that says what they hold."""
