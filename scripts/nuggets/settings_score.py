"""Settings of NUGGETS' golden score."""

from __future__ import annotations

from typing import Any, Literal, Mapping

from scripts.common.fields import Settings, Share, setting
from scripts.common.prompt_settings import BatchTokens, PromptTemplates


class ScoreTerms(Settings):
    """What a golden score depends on besides model, data and prompt."""

    separator: str = setting("text between demonstration and anchor", source="released code: none")
    bos: Literal["paper", "both"] = setting(
        "where the beginning-of-text token stands; paper: before the demonstration only (released code), both: "
        "before the zero-shot question too",
    )
    anchor_tokens: int | None = setting(
        "tokens after which an anchor is cut; null never cuts",
        source="released code: 200",
        unit="tokens",
        ge=1,
    )
    too_long: Literal["error", "truncate", "skip"] = setting(
        "what happens to a demonstration that does not fit the model's window",
        source="not in the paper",
    )
    pad_word: bool = setting(
        "whether a word [PAD] with the mean of all vectors is added to the vocabulary",
        source="released code: true",
    )
    kv_iter: int = setting(
        "times the demonstration is read; 1 is plain one-shot scoring",
        source="NUGGETS: 1",
        unit="times",
        ge=1,
    )
    step_size: float = setting(
        "step along the change of keys and values at each further reading, no unit",
        source="released code: 0.01",
        gt=0,
    )
    momentum: Share = setting(
        "share of the last step kept in the next, no unit",
        source="released code: 0.9",
    )
    racing: float | None = setting(
        "golden score, share of anchors that the example helps with, 0 to 1, on whose sides the pool is to be "
        "split early; null scores every anchor",
        source="not in the paper",
        unit="share, 0 to 1",
        ge=0,
        le=1,
    )


class Score(ScoreTerms):
    """How an example is scored by what it does for the anchors."""

    prompt: str = setting(
        "template of demonstrations and anchors, a row of prompts",
        source="released code: prompt version default",
        key_of="prompts",
    )
    shard_size: int = setting(
        "candidates that one job scores; does not change the scores",
        source="released code: 5,000",
        unit="candidates",
        ge=1,
    )


class ScoreSettings(ScoreTerms):
    """Settings of `scripts.nuggets.score_candidates`."""

    prompt: PromptTemplates
    batch_tokens: BatchTokens

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a config holds for them."""
        terms = config["nuggets"]["score"]
        return cls.kept(config["compute"], terms, {"prompt": config["prompts"][terms["prompt"]]})


def difficulty_values(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a config holds for `scripts.nuggets.score_difficulty`; the prompt is that of the golden scores."""
    prompt = config["prompts"][config["nuggets"]["score"]["prompt"]]
    return {"prompt": prompt, "batch_tokens": config["compute"]["batch_tokens"]}
