"""Settings of the answers that NUGGETS' models write."""

from __future__ import annotations

from typing import Annotated, Any, Mapping

from scripts.common.fields import Settings, setting
from scripts.common.prompt_settings import BatchTokens


class GenerateTerms(Settings):
    """How answers are written."""

    max_new_tokens: int = setting(
        "tokens after which an answer is cut",
        source="AlpacaEval: 2,048",
        unit="tokens",
        ge=1,
    )
    temperature: float = setting("0 takes the likeliest token, more draws", source="NUGGETS: not stated", ge=0)
    stop: list[Annotated[str, setting("text that ends an answer", min_length=1)]] = setting(unique=True)
    batch_size: int = setting("answers written side by side; does not change them in float32", unit="answers", ge=1)


class Generate(GenerateTerms):
    """How answers are written."""

    turn_separator: str = setting(
        "text between the two turns of a dialogue",
        source="MT-Bench leaves it to the model's template",
    )


class AnswerSettings(GenerateTerms):
    """Settings of `scripts.nuggets.generate_answers`."""

    batch_tokens: BatchTokens

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a config holds for them."""
        return cls.kept(config["compute"], config["nuggets"]["generate"])
