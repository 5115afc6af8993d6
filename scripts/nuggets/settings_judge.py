"""Settings of judging in NUGGETS: the questions and who judges the answers."""

from __future__ import annotations

from typing import Any, Literal

from scripts.common.fields import Settings, setting


class Benchmarks(Settings):
    """The questions that fine-tuned models answer."""

    alpaca_eval: str | None = setting(
        "dataset of single instructions, judged in pairs (NUGGETS, table 1: AlpacaEval, 805); null: the rows "
        "that nuggets.sample sets aside",
        registry="datasets",
    )
    mt_bench: str = setting(
        "dataset of two-turn questions, graded from 1 to 10",
        source="NUGGETS, table 2: MT-Bench, 80",
        registry="datasets",
    )


class Judge(Settings):
    """Who judges the answers."""

    backend: Literal["openai", "local", "reference"] = setting(
        "who judges: an OpenAI-compatible endpoint (NUGGETS: GPT-4), a model of config/models.yaml, or the "
        "reference answers",
    )
    model: str = setting(
        "name of the judge: at the endpoint, in config/models.yaml, or any with backend reference",
        source="NUGGETS: GPT-4",
        min_length=1,
    )
    base_url: str | None = setting("address of another OpenAI-compatible endpoint; null: OpenAI's")
    key_variable: str = setting("environment variable that holds the key", min_length=1)
    swap: bool = setting(
        "judge each pair in both orders and take the mean",
        source="NUGGETS, figure of pairwise comparison",
    )
    max_new_tokens: int = setting("tokens after which a judgement is cut", unit="tokens", ge=1)
    cache: str = setting("folder of the answers that were paid for", min_length=1)
    timeout_s: float = setting("seconds after which a request counts as failed", unit="s", gt=0)
    attempts: int = setting("requests before the judge is given up", ge=1)
    parallel: int = setting("questions an endpoint is asked at the same time", unit="questions", ge=1)
    price_in: float = setting(
        "price of a million tokens read, for the cost said beforehand",
        unit="currency units per million tokens",
        ge=0,
    )
    price_out: float = setting("price of a million tokens written", unit="currency units per million tokens", ge=0)
    parameters: dict[str, Any] = setting(
        "further fields of each request to an endpoint, or others in place of max_tokens and temperature; null "
        "leaves one out",
    )
