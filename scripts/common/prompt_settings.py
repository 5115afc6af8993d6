"""Settings that every step with a prompt or a scorer has: the templates, and the size of a forward pass."""

from __future__ import annotations

from typing import Annotated

from scripts.common.fields import Settings, optional, setting

BatchTokens = Annotated[int, setting("tokens in one forward pass of the scorer and the embedder", unit="tokens", ge=1)]


class PromptTemplates(Settings):
    """Texts around the parts of an example."""

    with_input: str = setting(
        "text up to the answer of an example with an input; {instruction} and {input} are filled in",
        min_length=1,
        pattern=r"\{instruction\}[^{}]*\{input\}",
    )
    without_input: str = setting(
        "text up to the answer of an example without an input; {instruction} is filled in",
        min_length=1,
        pattern=r"\{instruction\}",
    )
    chat: bool = optional("the templates are the user's turn, put into the chat template of the model's tokenizer")
    answer: str = optional(
        "text of the answer; {output} is filled in",
        source="default: the bare output; DELIFT: a blank before it",
        pattern=r"\{output\}",
    )
    strip: bool = optional(
        "whether white space at both ends of a field is dropped",
        source="default true, as NUGGETS; DELIFT and Alpaca: false",
    )
