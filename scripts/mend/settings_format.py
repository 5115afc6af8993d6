"""Settings of how MEND's examples become tokens."""

from __future__ import annotations

from typing import Any, Literal, Mapping

from scripts.common.fields import Settings, optional, setting


class Format(Settings):
    """One way of joining examples."""

    method: Literal["direct", "channel"] = setting(
        "direct is p(answer | input), channel p(input | answer)",
        source="MetaICL",
    )
    separators: Literal["apart", "metaicl_newlines", "metaicl_blanks"] = optional(
        "how parts are held apart: after_input and after_output tokenised apart (MEND's released code), or "
        "MetaICL's line breaks or blanks, tokenised together with what follows them; apart where it is not given",
    )
    after_input: str = setting(
        "text between input and answer, tokenised apart (MEND's released code: none; a newline for Llama); empty "
        "with MetaICL's separators",
    )
    after_output: str = setting(
        "text between an answer and the next example, tokenised apart (MEND's released code: none; two newlines "
        "for Llama); empty with MetaICL's separators",
    )
    output_space: bool = setting(
        "whether an answer begins with a space (MEND's released code: not for Llama); false with MetaICL's separators",
    )
    room: Literal["mend", "metaicl"] = optional(
        "how much is read: MEND's released code keeps demonstrations below max_tokens - max_example_tokens - 1 "
        "and cuts options, MetaICL's reads all demonstrations and cuts from the left; mend where it is not given",
    )
    max_example_tokens: int = setting(
        "tokens of an example, of which two stay free; its input is cut",
        source="MEND and MetaICL: 256",
        unit="tokens",
        ge=4,
    )
    max_tokens: int = setting("tokens the language model reads at most", source="MEND: 1,024", unit="tokens", ge=1)
    max_distiller_tokens: int = setting("tokens the distiller reads at most", source="MEND: 900", unit="tokens", ge=1)

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a config holds for them: the format of the main backbone."""
        mend = config["mend"]
        return cls.kept(mend["formats"][mend["backbones"][mend["backbone"]]["format"]])
