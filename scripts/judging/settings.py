"""Settings of a judge, as every paper has them that lets answers be judged."""

from __future__ import annotations

from typing import Any, Literal

from scripts.common.fields import Settings, setting


class JudgeBackend(Settings):
    """Who judges the answers."""

    backend: Literal["openai", "local", "reference"] = setting(
        "openai: any compatible endpoint; local: a model here; reference: offline, agreement with the reference answer",
    )
    model: str = setting(
        "name at the endpoint; of a local one its name in config/models.yaml, or a folder or hub id; any with "
        "backend reference",
        min_length=1,
    )
    base_url: str | None = setting("address of another OpenAI-compatible endpoint; null: OpenAI's")
    key_variable: str = setting("environment variable with the endpoint's key; empty sends none")
    max_new_tokens: int = setting("tokens after which a judgement is cut", unit="tokens", ge=1)
    cache: str = setting("folder of the answers that were paid for", min_length=1)
    timeout_s: float = setting("seconds after which a request counts as failed", unit="s", gt=0)
    attempts: int = setting("requests before the judge is given up", unit="times", ge=1)
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
