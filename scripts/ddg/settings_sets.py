"""Settings of DDG's sets and of their evaluation in context."""

from __future__ import annotations

from typing import Annotated, Literal

from scripts.common.fields import Name, Settings, setting

Coreset = Literal["random", "k_centers", "herding"]
Retriever = Literal["bm25", "knn"]
Selection = Literal["k_centers", "none"]
Sizes = list[Annotated[int, setting("texts a class", unit="texts", ge=1)]]
OverSample = Annotated[int, setting("texts written for each one kept", source="DiLM: 100", unit="texts", ge=1)]
HerdingOrder = Annotated[Literal["rows", "chosen"], setting("order of herding's texts: as rows (DiLM) or as chosen")]
Turns = Annotated[
    int,
    setting("rounds of the test split that queries are drawn from", source="LongICLBench", unit="rounds", ge=1),
]
Order = Annotated[Literal["rounds", "shuffled"], setting("order of the demonstrations")]
Scorers = Annotated[
    list[Annotated[Literal["generate", "labels", "first_token"], setting("scorer")]],
    setting(
        "how answers are read: written and read back, whole labels, or first tokens",
        min_length=1,
        unique=True,
    ),
]


class SetSampling(Settings):
    """How texts are drawn."""

    top_p: float = setting("nucleus of this probability", source="DiLM: 0.95", unit="share, 0 to 1", gt=0, le=1)
    batch_size: int = setting("texts written at a time; part of the result", unit="texts", ge=1)


class SetReading(Settings):
    """How texts are embedded for the selection."""

    max_tokens: int = setting("longest text in tokens", unit="tokens", ge=1)
    batch_size: int = setting("texts a pass; speed only", unit="texts", ge=1)


class SetSizes(Settings):
    """Which sets a method makes."""

    dpcs: Sizes = setting("sizes of the sets", source="DiLM: 5, 10, 20", min_length=1, unique=True)
    draws: int = setting("sets of each size and seed", source="DiLM: 20", unit="sets", ge=1)
    draw_seeds: Literal["released", "named"] = setting(
        "seeds of coresets and of the selection: DiLM's (draw k: k; selection: 42), or one for each seed of the "
        "pipeline",
    )


class Sets(SetSizes):
    """Stage C: the sets."""

    over_sample: OverSample
    herding_order: HerdingOrder
    sampling: SetSampling
    reading: SetReading


class SelfWritten(Settings):
    """Demonstrations that the asked model writes for itself."""

    per_class: int = setting("texts written for each class", unit="texts", ge=1)
    temperature: float = setting("of the draws", gt=0)
    batch_size: int = setting("texts written at a time; memory, not results", unit="texts", ge=1)


class Protocol(Settings):
    """A protocol."""

    prompt: str | None = setting("file of config/prompts/ddg; null takes the task's own")
    order: Order
    scorers: Scorers


class ContextTerms(Settings):
    """How demonstrations are shown and answers counted."""

    dpc: int = setting("size of the sets that demonstrations come from, texts a class", ge=1)
    draws: int = setting("sets of each seed that are shown", unit="sets", ge=1)
    instruct: bool = setting("whether the prompt lists the labels", source="LongICLBench: false unless --instruct")
    label_norm: Literal["sum", "mean"] = setting(
        "how a label's log-probability is counted: sum over its tokens, or mean",
    )
    retrieval_rounds: list[Annotated[int, setting("rounds", unit="rounds", ge=1)]] = setting(
        "rounds whose number of demonstrations is retrieved; []: none",
    )


class InContext(ContextTerms):
    """Evaluation B: demonstrations in a prompt."""

    models: list[Annotated[str, setting("a row of config/models.yaml", registry="models")]] = setting(
        "language models asked",
        source="DDG: LLaMA-2-7B, Qwen-1.5-7B, Mistral-7B",
        min_length=1,
        unique=True,
    )
    rounds: list[Annotated[int, setting("texts of each class shown", unit="texts", ge=1)]] = setting(
        "rounds",
        source="LongICLBench: 1 to 5",
        min_length=1,
        unique=True,
    )
    n_queries: Annotated[int, setting(ge=1)] | Annotated[str, setting(pattern="^full$")] = setting(
        "test texts asked, or full",
        source="DDG: 50",
    )
    self_written: SelfWritten
    protocols: dict[Name, Protocol] = setting("protocols by name", min_length=1)
