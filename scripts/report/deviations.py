"""The deviations of a paper, from its page `docs/<paper>.md`: the one place where they are written down."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from scripts.common.files import read_text

if TYPE_CHECKING:
    from markupsafe import Markup

HEADING = "Deviations"


def read_deviations(path: Path) -> Markup:
    """Return the section "Deviations" of a page as HTML, "" if it has none; HTML in the page is shown as text."""
    from markdown_it import MarkdownIt
    from markupsafe import Markup

    markdown = MarkdownIt("commonmark", {"html": False})
    tokens = markdown.parse(read_text(path))
    starts = [n for n, token in enumerate(tokens) if token.type == "heading_open" and token.tag == "h2"]
    for start, end in zip(starts, [*starts[1:], len(tokens)]):
        if tokens[start + 1].content == HEADING:
            rendered = markdown.renderer.render(tokens[start + 3 : end], markdown.options, {})
            return Markup(rendered)  # noqa: S704 (the renderer has escaped the page's own HTML)
    return Markup("")
