"""Settings of MEND's steps that read test tasks: scoring, and prompts tuned on a task's shots."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Mapping

from scripts.common.fields import Settings, optional, setting
from scripts.common.prompt_settings import BatchTokens
from scripts.mend.settings_train import PromptTuning

Shots = Annotated[int, setting("k, examples in the files of a test task", source="MetaICL: 16", ge=1)]
Seeds = Annotated[
    list[
        Annotated[
            int,
            setting("seed of a draw of the demonstrations", source="MetaICL: 100, 13, 21, 42, 87", ge=0),
        ]
    ],
    setting(min_length=1, unique=True),
]
MaxTest = Annotated[int, setting("test rows of a task; 0 takes all", source="MetaICL: all", ge=0)]
F1Kind = Literal["union", "gold"]
Tie = Literal["first", "alphabetical"]
F1 = Annotated[
    F1Kind,
    setting(
        "classes over which macro-F1 is the mean: union of right and predicted ones (MEND's released code, "
        "scikit-learn), or gold, right ones only",
        source="MetaICL's",
    ),
]
Ties = Annotated[
    Tie,
    setting(
        "which of options that score alike is the answer: the first of the row (both releases) or the first in "
        "alphabetical order",
    ),
]
TaskNames = list[Annotated[str, setting("name of a task's folder", min_length=1)]]


class EvaluateSettings(Settings):
    """Settings of `scripts.mend.evaluate_methods`."""

    task_names: TaskNames = setting("test tasks", min_length=1, unique=True)
    shots: Shots
    seeds: Seeds
    max_test: MaxTest
    metric_of: dict[str, str] = optional("a task's own metric, by task", source="default: macro_f1")
    f1: F1
    ties: Ties
    batch_tokens: BatchTokens

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a config holds for them; the tasks are those that one names."""
        return cls.kept(config["compute"], config["mend"])


class PromptTuningSettings(PromptTuning):
    """Settings of `scripts.mend.train_baselines prompt_tuning`."""

    task_names: TaskNames = setting("test tasks", min_length=1, unique=True)
    shots: Shots
    seeds: Seeds

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a config holds for them; the tasks are those that one names."""
        return cls.kept(config["mend"], config["mend"]["prompt_tuning"])
