"""DELIFT's settings (config/papers/delift.yaml), put together from its groups."""

from __future__ import annotations

from typing import Annotated, Mapping, Type

from scripts.common.fields import Settings, Slug, setting
from scripts.delift.settings_artifacts import (
    FigureLaj,
    FigureStages,
    FigureSubsetSize,
    Table,
    TableSelectionQuality,
    TableTime,
    Viewer,
)
from scripts.delift.settings_choose import Baselines, Embed, Method, Shots, Utility
from scripts.delift.settings_data import Limits, Pair
from scripts.delift.settings_learn import Finetune, Generate, Judge, Known, Measures, Seeds


class Delift(Settings):
    """DELIFT: training data chosen by how well examples help each other."""

    pairs: dict[Slug, Pair] = setting("dataset pairs by name", source="DELIFT, section 4", min_length=1)
    registries: list[
        Annotated[
            str,
            setting(
                "one of: JSON files in the form of DELIFT's huggingface_datasets.json",
                min_length=1,
            ),
        ]
    ] = setting("JSON files in the form of DELIFT's huggingface_datasets.json", unique=True)
    limits: Limits
    prompt: str = setting("template of an example's prompt, a row of prompts", key_of="prompts")
    utility: Utility
    embed: Embed
    baselines: Baselines
    methods: dict[Slug, Method] = setting("how each subset is chosen", min_length=1)
    percent: float = setting(
        "size of a subset, percent of the pool",
        source="DELIFT: 30",
        unit="% of the pool",
        gt=0,
        le=100,
    )
    seeds: Seeds
    units_per_job: int = setting("subsets whose model one job trains and tests", unit="subsets", ge=1)
    answers_per_job: int = setting("jobs of units_per_job subsets whose answers one job measures", unit="jobs", ge=1)
    shots: Shots
    finetune: Finetune
    generate: Generate
    measures: Measures
    known: Known
    judge: Judge
    table_1: Table = setting("stage 1 on MixInstruct", source="DELIFT, table 1")
    table_2: Table = setting("stage 1 on P3", source="DELIFT, table 2")
    table_3: Table = setting("stage 2, HotpotQA for MMLU", source="DELIFT, table 3")
    table_4: Table = setting("stage 2, MixInstruct for MT-Bench and GSM8K", source="DELIFT, table 4")
    table_5: Table = setting("stage 3, IBM then Government", source="DELIFT, table 5; private data")
    table_6: Table = setting("stage 3, SQuAD then HotpotQA", source="DELIFT, table 6")
    table_fft: Table = setting("full fine-tuning", source="third version of the paper")
    table_selection_quality: TableSelectionQuality
    figure_subset_size: FigureSubsetSize
    figure_laj: FigureLaj
    figure_stages: FigureStages
    table_time: TableTime
    viewer: Viewer


SECTIONS: Mapping[str, Type[Settings]] = {"delift": Delift}
"""Keys of the config, and the class that says what they hold."""
