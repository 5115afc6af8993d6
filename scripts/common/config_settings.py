"""The settings that all papers share (config/config.yaml), but for those of scripts/data."""

from __future__ import annotations

from typing import Annotated, Literal

from scripts.common.fields import Name, Settings, Slug, optional, setting
from scripts.common.prompt_settings import BatchTokens, PromptTemplates

DataSeed = Annotated[int, setting("seed of the synthetic corpus and of random sub-samples", ge=0)]


class Data(Settings):
    """Where raw data come from."""

    source: Literal["hub", "mirror", "synthetic"] = setting(
        "where raw data come from: the hub, a folder with the same files, or the generator",
    )
    mirror: str | None = setting(
        "folder with the files of config/datasets.yaml, for data.source mirror",
        pattern="^[^{}]*$",
    )
    left_out: list[Annotated[str, setting("a registered data set, <dataset>/<split> or model")]] = setting(
        "what cannot be had: a cell that needs it says so, and the rest is built (Step-by-Step)",
        unique=True,
    )
    seed: DataSeed


class Registries(Settings):
    """Files of the user's with more rows for the registries."""

    datasets: list[Annotated[str, setting("file with more rows for config/datasets.yaml", min_length=1)]] = setting(
        unique=True,
    )
    models: list[Annotated[str, setting("file with more rows for config/models.yaml", min_length=1)]] = setting(
        unique=True,
    )


class Compute(Settings):
    """What one job computes on and with."""

    device: Literal["auto", "cpu", "cuda"] = setting("where models run; auto takes a GPU if there is one")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = setting(
        "number format of models; auto asks the device what it is good at",
    )
    threads: int = setting("torch threads of one job; part of the last bits of a result", ge=1)
    batch_tokens: BatchTokens
    memory_mb: int = setting("main memory of a job that loads a model, in MB", unit="MB", ge=1)
    gpus: int = setting("GPUs of a job that loads a model", unit="GPUs", ge=0)
    runtime: str = setting(
        "limit of such a job on a cluster, such as 30m, 6h or 2d",
        min_length=1,
        pattern="^[0-9]+[smhd]?$",
    )


class OverviewValue(Settings):
    """One of the compared values."""

    method: str = setting("name of the method in the measured values")
    setting: str = setting("name of the setting in the measured values")  # hides the function from here on
    experiment: str = optional("what was measured, where it is another than the claim's")


class Overview(Settings):
    """What the report's first figure shows of one paper."""

    experiment: str = setting("what was measured, as in the measured values, e.g. alpaca_eval/unscored")
    model: str = setting("name of the model in the measured values")
    metric: str = setting("name of the metric in the measured values")
    about: str = setting("a few words below the paper's name: what was done")
    axis: str = setting("printed name of the metric, with its unit")
    decimals: int = setting("digits after the point of the printed means", unit="digits", ge=0)
    values: list[OverviewValue] = setting("what is compared, from top to bottom", min_length=1)


class Shared(Settings):
    """What all papers share: config/config.yaml merged with a tier."""

    tier: str = setting("name of the folder below results/, a slug", min_length=1, pattern="^[a-z0-9_]+$")
    from_kept: bool = setting(
        "make tables, figures and report from what docs/<tier>/measured keeps of earlier runs, and compute nothing"
    )
    data: Data
    registries: Registries
    compute: Compute
    container: str | None = setting(
        "image that holds the environments of envs/ (snakemake --containerize), for --sdm conda apptainer; null: none",
        min_length=1,
    )
    papers: list[Annotated[str, setting("papers to rebuild: files of config/papers")]] = setting(
        min_length=1,
        unique=True,
    )
    prompts: dict[Name, PromptTemplates] = setting("prompt templates by name", min_length=1)
    overview: dict[Slug, Overview] = setting("what the report's first figure shows of each paper")
    tolerances: dict[
        Name,
        Annotated[
            float,
            setting(
                "distance from the published value, in the metric's unit, within which a measured mean counts as "
                "reproduced",
                ge=0,
            ),
        ],
    ] = setting("tolerances by metric", min_length=1)
