"""Captions: the part of reStructuredText used in `report/*.rst`, which `snakemake --report` reads too.

A caption is one or more paragraphs of plain sentences with ``literal``, **strong** and *emphasised* words. It opens
with its lead, a few strong words that say what the table or figure shows. Expressions such as
{{ snakemake.config["tier"] }} are filled in as Snakemake does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Mapping

from scripts.common.errors import UserError

_SPAN = re.compile(r"``(?P<code>.+?)``|\*\*(?P<strong>\S(?:.*?\S)?)\*\*|\*(?P<em>[^\s*](?:[^*]*[^\s*])?)\*", re.DOTALL)


@dataclass(frozen=True)
class Span:
    """A stretch of a paragraph; tag is "" for plain text, else the HTML element "code", "strong" or "em"."""

    tag: str
    text: str


def fill_caption(text: str, config: Mapping[str, Any], name: str) -> str:
    """Return the caption with its {{ ... }} expressions filled in.

    name: the file, for errors. Raises `UserError` for a broken expression or one that names an unknown config key.
    """
    from jinja2 import StrictUndefined, TemplateError
    from jinja2.sandbox import SandboxedEnvironment

    try:
        template = SandboxedEnvironment(undefined=StrictUndefined).from_string(text)
        return template.render(snakemake=SimpleNamespace(config=config))
    except TemplateError as error:
        raise UserError(f"{name}: {error}; correct the {{{{ }}}} expression in the caption") from None


def parse_caption(text: str) -> list[list[Span]]:
    """Return the paragraphs of a caption as lists of spans; line breaks inside a paragraph become spaces."""
    paragraphs = [" ".join(block.split()) for block in re.split(r"\n\s*\n", text.strip())]
    return [_spans(paragraph) for paragraph in paragraphs if paragraph]


def split_lead(paragraphs: list[list[Span]]) -> tuple[str, list[list[Span]]]:
    """Return the strong words that a caption opens with, without their full stop, and the paragraphs without them."""
    if not paragraphs or not paragraphs[0] or paragraphs[0][0].tag != "strong":
        return "", paragraphs
    lead, *rest = paragraphs[0]
    if rest:
        rest[0] = Span(rest[0].tag, rest[0].text.lstrip())
    return lead.text.removesuffix("."), [*([rest] if rest else []), *paragraphs[1:]]


def plain_text(paragraphs: list[list[Span]]) -> str:
    """Return the first sentence of a caption without markup, for a figure's alternative text."""
    text = "".join(span.text for span in paragraphs[0]) if paragraphs else ""
    return re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0]


def _spans(paragraph: str) -> list[Span]:
    spans, end = [], 0
    for match in _SPAN.finditer(paragraph):
        if match.start() > end:
            spans.append(Span("", paragraph[end : match.start()]))
        tag = match.lastgroup or ""
        spans.append(Span(tag, match.group(tag)))
        end = match.end()
    if end < len(paragraph):
        spans.append(Span("", paragraph[end:]))
    return spans
