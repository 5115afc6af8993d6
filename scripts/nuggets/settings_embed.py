"""Settings of NUGGETS' embeddings."""

from __future__ import annotations

from typing import Any, Literal, Mapping

from scripts.common.fields import Settings, setting
from scripts.common.prompt_settings import BatchTokens, PromptTemplates


class Embed(Settings):
    """How texts become vectors, for the anchors."""

    pooling: Literal["mean_with_padding", "mean", "first"] = setting(
        "mean over the last hidden states, with padding as in the released code or without, or the first token's",
    )
    max_tokens: int = setting(
        "tokens after which a text is cut before it is embedded",
        source="released code: 512",
        unit="tokens",
        ge=1,
    )


class EmbedSettings(Embed):
    """Settings of `scripts.nuggets.embed_prompts`."""

    prompt: PromptTemplates
    batch_tokens: BatchTokens

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a config holds for them; the prompt is that of the scores."""
        own = config["nuggets"]
        return cls.kept(config["compute"], own["embed"], {"prompt": config["prompts"][own["score"]["prompt"]]})
