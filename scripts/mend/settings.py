"""MEND's settings (config/papers/mend.yaml); those of training are in `scripts.mend.settings_train`."""

from __future__ import annotations

from typing import Annotated, Literal, Mapping, Type

from scripts.common.fields import Name, Settings, optional, setting
from scripts.data.settings import SyntheticMetaTasks
from scripts.mend.settings_format import Format
from scripts.mend.settings_steps import F1, MaxTest, Seeds, Shots, Ties
from scripts.mend.settings_train import DistillerName, Finetune, Groups, Pretrain, PromptTuning, Tune, Variant

NDemonstrations = Annotated[int, setting("demonstrations", unit="demonstrations", ge=1)]
MethodName = Annotated[
    Literal["zero_shot", "icl", "metaicl", "prompt_tuning", "hyper_tuning", "mend"],
    setting(
        "a method",
        source="MEND, section 4",
    ),
]


class Backbone(Settings):
    """A frozen language model and its distiller."""

    model: str = setting(
        "frozen language model, a row of config/models.yaml",
        source="MEND: GPT-2 large",
        registry="models",
    )
    distiller: str = setting(
        "model that the distiller starts from, same tokens",
        source="MEND: GPT-2",
        registry="models",
    )
    format: str = setting("how examples are joined", key_of="mend.formats")
    distiller_layers: int | None = optional(
        "first layers of that model which make the distiller; all where it is not given", unit="layers", ge=1
    )
    pretrained: str | None = setting("folder of a finished stage-1 distiller; null trains it")
    pretrained_lm: str | None = setting(
        "folder of a stage-1 distiller trained by the language-modelling loss; null trains it",
    )


class TaskSource(Settings):
    """Where tasks and texts come from."""

    source: Literal["rebuild", "hub", "synthetic", "registry"] = setting(
        "rebuild: from the upstream data sets in the environment with datasets 1.4.0; hub: the authors' prepared "
        "rows; synthetic; registry: from data sets of config/datasets.yaml, as the task's entry says",
    )
    raw: str | None = setting(
        "folder with upstream rows, <task>/<split>.jsonl (or .json, .csv, .tsv, .parquet); null asks datasets 1.4.0",
    )
    prepared: str | None = setting("the authors' prepared rows, for source hub", registry="datasets")
    sampling: Literal["total", "per_label"] = setting(
        "whether shots counts examples in all (MetaICL) or for each label",
        source="CrossFit",
    )
    texts: str = setting("texts that stage 1 reads", source="MEND: C4, validation split", registry="datasets")
    texts_limit: int | None = setting("random sub-sample of the texts; null takes all", ge=1)


class Efficiency(Settings):
    """What is timed and counted."""

    n_demonstrations: list[NDemonstrations] = setting(min_length=1, unique=True)
    n_queries: int = setting("queries that share the demonstrations", unit="queries", ge=1)
    repeats: int = setting("timed repetitions, of which the median counts", ge=1)


class Attention(Settings):
    """Whose attention is averaged."""

    n_queries: int = setting("queries", unit="queries", ge=1)


class Table2(Settings):
    """The main comparison."""

    backbones: list[Annotated[str, setting("a backbone", key_of="mend.backbones")]] = setting(min_length=1, unique=True)
    methods: list[MethodName] = setting(min_length=1, unique=True)


class Table3(Settings):
    """Perturbed demonstrations."""

    methods: list[MethodName] = setting(min_length=1, unique=True)
    perturbations: list[
        Annotated[
            Literal["none", "no_input", "no_label", "random_label", "wrong_label"],
            setting(
                "what is done to the demonstrations",
            ),
        ]
    ] = setting(min_length=1, unique=True)


class Table4(Settings):
    """Ablation."""

    methods: list[Annotated[str, setting("a distiller, or no_finetuning: stage 1's as it is", min_length=1)]] = setting(
        min_length=1,
        unique=True,
    )


class TableSeparators(Settings):
    """How examples are joined."""

    methods: list[MethodName] = setting(min_length=1, unique=True)
    formats: list[Annotated[str, setting("a format", key_of="mend.formats")]] = setting(min_length=1, unique=True)


class TableUnseenLabels(Settings):
    """Queries whose label no demonstration shows."""

    methods: list[MethodName] = setting(min_length=1, unique=True)
    n_demonstrations: list[NDemonstrations] = setting(min_length=1, unique=True)


class Figure4(Settings):
    """Score against the distillation ratio."""

    methods: list[MethodName] = setting(min_length=1, unique=True)
    n_demonstrations: list[Annotated[int, setting("K, with the distiller as trained", ge=1)]] = setting(
        min_length=1,
        unique=True,
    )
    distillers: list[DistillerName] = setting("distillers of different L", min_length=1, unique=True)


class FigureLambda(Settings):
    """Score against lambda."""

    distillers: list[DistillerName] = setting("distillers of different lambda", min_length=1, unique=True)
    limit: str = setting("distiller trained by distillation alone", key_of="mend.variants")


class Mend(Settings):
    """MEND: demonstrations distilled into vectors."""

    backbone: str = setting("backbone of ablations, sweeps and efficiency", key_of="mend.backbones")
    backbones: dict[Name, Backbone] = setting("language models with their distillers", min_length=1)
    formats: dict[Name, Format] = setting("ways of joining examples", min_length=1)
    tasks: TaskSource
    settings: list[
        Annotated[
            str,
            setting(
                "a setting of config/metaicl.yaml",
                source="MEND: all seven",
                min_length=1,
            ),
        ]
    ] = setting(min_length=1, unique=True)
    study_settings: list[
        Annotated[
            str,
            setting(
                "a setting of mend.settings in which ablations and sweeps are run",
                min_length=1,
            ),
        ]
    ] = setting(min_length=1, unique=True)
    shots: Shots
    train_shots: int = setting("k of the meta-training tasks", source="MetaICL: 16,384", ge=1)
    train_seed: int = setting("seed of training and of the meta-training files", source="MEND: 100", ge=0)
    seeds: Seeds
    n_demonstrations: int = setting("K, demonstrations", source="MEND: 16", ge=1)
    max_test: MaxTest
    f1: F1
    ties: Ties
    devices: int = setting(
        "GPUs of one training job, batch_size sets on each; 1 also stands for a CPU",
        source="MEND: 8",
        unit="GPUs",
        ge=1,
    )
    pretrain: Pretrain
    finetune: Finetune
    variants: dict[Name, Variant] = setting("distillers", min_length=1)
    together: bool = setting(
        "one job trains all distillers of a group, and few jobs score all methods: for small models on a CPU",
    )
    groups: Groups
    ablation_steps: int | None = setting(
        "steps of the group ablation where they differ from stage 2's",
        unit="steps",
        ge=1,
    )
    tune: Tune
    prompt_tuning: PromptTuning
    efficiency: Efficiency
    attention: Attention
    table_2: Table2
    table_3: Table3
    table_4: Table4
    table_separators: TableSeparators
    table_unseen_labels: TableUnseenLabels
    figure_4: Figure4
    figure_lambda: FigureLambda
    synthetic: SyntheticMetaTasks = setting("sizes of the synthetic tasks and texts (mini tier)")


SECTIONS: Mapping[str, Type[Settings]] = {"mend": Mend}
"""Keys of the config, and the class that says what they hold."""
