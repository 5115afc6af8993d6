"""Settings of the head to head (config/papers/head_to_head.yaml)."""

from __future__ import annotations

from typing import Annotated, Literal, Mapping, Type

from scripts.common.fields import Settings, Slug, setting


class Method(Settings):
    """A method that chooses training data, and whose command runs it."""

    paper: Literal["delift", "nuggets"] = setting("whose command chooses")
    method: str = setting("the row of that paper's methods that says how", min_length=1)


class Selection(Settings):
    """Methods that choose training data: one pool, model and way of learning for all."""

    not_run: str | None = setting("why a tier leaves this half out; null runs it", min_length=1)
    pair: str = setting("the pool and the benchmark for which is chosen, a row of delift.pairs", key_of="delift.pairs")
    model: str = setting(
        "model that scores the pool and learns from each subset, a row of config/models.yaml",
        registry="models",
    )
    learning: Literal["peft", "fft"] = setting("adapters or all weights, with DELIFT's settings")
    percents: list[Annotated[float, setting("percent of the pool", unit="% of the pool", gt=0, lt=100)]] = setting(
        "sizes of the subsets, percent of the pool",
        min_length=1,
        unique=True,
    )
    seeds: list[Annotated[int, setting("a seed", ge=0)]] = setting(
        "one training for each, and one subset where it is drawn at random",
        min_length=1,
        unique=True,
    )
    methods: list[Annotated[str, setting("a row of head_to_head.methods", key_of="head_to_head.methods")]] = setting(
        "rows in their order",
        min_length=1,
        unique=True,
    )
    measures: list[Annotated[Literal["exact_match", "rouge_1", "rouge_l"], setting("a measure")]] = setting(
        "taken of every answer, beside the likelihood of the reference",
        min_length=1,
        unique=True,
    )
    shown: list[
        Annotated[
            Literal["exact_match", "rouge_1", "rouge_l", "reference_loglik_nats_per_token"],
            setting(
                "a measure",
            ),
        ]
    ] = setting("measures in table and figure", min_length=1, unique=True)
    units_per_job: int = setting("subsets whose model one job trains and tests", unit="subsets", ge=1)


class Demonstrations(Settings):
    """Ways to show a model demonstrations: one task, model and number of demonstrations for all."""

    not_run: str | None = setting("why a tier leaves this half out; null runs it", min_length=1)
    task: str = setting("a row of ddg.tasks with one text column", key_of="ddg.tasks")
    backbone: str = setting(
        "the model that is asked and its distiller, a row of mend.backbones",
        key_of="mend.backbones",
    )
    prompt: str = setting("a file of config/prompts/ddg: the backbone's format in DDG's terms", min_length=1)
    dpc: int = setting("demonstrations of each class, one of ddg.sets.dpcs", unit="demonstrations", ge=1)
    sets: list[Annotated[str, setting("a row of ddg.methods by coreset or generator", key_of="ddg.methods")]] = setting(
        "texts that are shown, and distilled",
        min_length=1,
        unique=True,
    )
    retrieval: list[Annotated[str, setting("a row of ddg.methods by retrieval", key_of="ddg.methods")]] = setting(
        "texts chosen for each question",
        unique=True,
    )
    n_demonstrations: int = setting("demonstrations in all: dpc x the task's classes", unit="demonstrations", ge=1)


class HeadToHead(Settings):
    """The papers' methods and their baselines on equal terms (in no paper)."""

    methods: dict[Slug, Method] = setting("methods that choose training data, by name", min_length=1)
    selection: Selection
    demonstrations: Demonstrations


SECTIONS: Mapping[str, Type[Settings]] = {"head_to_head": HeadToHead}
"""Keys of the config, and the class that says what they hold."""
