"""Settings of Distilling Step-by-Step (config/papers/step_by_step.yaml)."""

from __future__ import annotations

from typing import Annotated, Mapping, Type

from scripts.common.fields import Settings, optional, setting
from scripts.step_by_step.settings_rows import Parser, Unparsed
from scripts.step_by_step.settings_train import (
    Blanks,
    Dropout,
    Form,
    MiniModel,
    Overrides,
    Together,
    Train,
    UnknownWords,
    Way,
)

ShownDataset = Annotated[
    str,
    setting(
        "data set that is shown here; without this key all of step_by_step.datasets",
        registry="datasets",
    ),
]
ShownRun = Annotated[int, setting("seed; without this key step_by_step.runs", ge=0)]
RowShare = Annotated[
    float,
    setting(
        "share of the training rows, above 0 and up to 1",
        unit="share, 0 to 1",
        gt=0,
        le=1,
    ),
]
ShownModel = Annotated[
    str,
    setting(
        "student that is shown here; without this key all of step_by_step.models",
        registry="models",
    ),
]


class Method(Settings):
    """A way of training that is compared."""

    train: Way


class Table(Settings):
    """Source of the rationales."""

    datasets: list[ShownDataset] = optional(unique=True)
    runs: list[ShownRun] = optional(min_length=1, unique=True)


class ShareFigure(Settings):
    """Accuracy against share of the training rows, gold labels."""

    shares: list[RowShare] = setting(min_length=1, unique=True)
    datasets: list[ShownDataset] = optional(unique=True)
    runs: list[ShownRun] = optional(min_length=1, unique=True)


class Figure6(Settings):
    """Accuracy against size of the student, gold labels."""

    datasets: list[ShownDataset] = optional(unique=True)
    models: list[ShownModel] = optional(min_length=1, unique=True)
    runs: list[ShownRun] = optional(min_length=1, unique=True)


class Figure7(Settings):
    """Accuracy against size of the student, the teacher's labels."""

    augmented_model: str = setting(
        "student of the augmented training rows",
        source="section 4.3: T5-XXL",
        registry="models",
    )
    datasets: list[ShownDataset] = optional(unique=True)
    models: list[ShownModel] = optional(min_length=1, unique=True)
    runs: list[ShownRun] = optional(min_length=1, unique=True)


class SmallestFigure(Settings):
    """Smallest model and share that beat the teacher, gold labels."""

    models: list[Annotated[str, setting("a model of config/models.yaml", registry="models")]] = setting(
        min_length=1,
        unique=True,
    )
    shares: list[RowShare] = setting(min_length=1, unique=True)
    datasets: list[ShownDataset] = optional(unique=True)
    runs: list[ShownRun] = optional(min_length=1, unique=True)


class StepByStep(Settings):
    """Distilling Step-by-Step: small models trained on rationales."""

    datasets: list[
        Annotated[
            str,
            setting(
                "data set (section 4: e-SNLI, ANLI, CQA, SVAMP); an empty list means none",
                registry="datasets",
            ),
        ]
    ] = setting(unique=True)
    formats: dict[str, Form] = setting("how each data set's rows and answers are worded")
    augment: dict[str, Annotated[str, setting("data set whose unlabelled rows are added", min_length=1)]] = setting(
        "further unlabelled rows for a data set",
        source="section 4.3: ASDiv for SVAMP",
    )
    teacher: str = setting(
        "whose labels and rationales are learnt from: the data set <dataset>_<teacher>",
        source="section 4: PaLM 540B",
        pattern="^[a-z0-9_]+$",
    )
    other_teacher: str = setting("the teacher to compare with (table 1: GPT-NeoX 20B)", pattern="^[a-z0-9_]+$")
    parser: Parser
    unparsed: Unparsed
    blanks: Blanks
    unknown_words: UnknownWords
    models: list[
        Annotated[
            str,
            setting(
                "student, the first is the main one",
                source="section 4: T5 v1.1 of 220M, 770M, 11B",
                registry="models",
            ),
        ]
    ] = setting(min_length=1, unique=True)
    runs: list[
        Annotated[
            int,
            setting(
                "seed of sub-sample, order and dropout",
                source="appendix A.1: 4 random runs",
                ge=0,
            ),
        ]
    ] = setting(min_length=1, unique=True)
    methods: dict[str, Method] = setting("methods that are compared")
    train: Train
    gen_max_len_rationale: int = setting(
        "tokens after which an output with a rationale is cut",
        source="code has no single-task training",
        unit="tokens",
        ge=1,
    )
    dropout: Dropout
    together: Together
    overrides: dict[str, Overrides] = setting("settings of train that differ for a model")
    devices: int = setting("GPUs of one training job; 1 also stands for a CPU", unit="GPUs", ge=1)
    mini_models: dict[str, MiniModel] = setting(
        "how the shipped T5 models are pre-trained, by their folder in resources/mini",
    )
    table_1: Table
    table_2: Table = setting("ways of training with rationales")
    figure_4: ShareFigure
    figure_5: ShareFigure = setting("accuracy against share of the training rows, the teacher's labels")
    figure_6: Figure6
    figure_7: Figure7
    figure_8: SmallestFigure
    figure_9: SmallestFigure = setting("smallest model and share that beat the teacher, the teacher's labels")


SECTIONS: Mapping[str, Type[Settings]] = {"step_by_step": StepByStep}
"""Keys of the config, and the class that says what they hold."""
