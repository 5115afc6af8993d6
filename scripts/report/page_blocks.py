"""Generated blocks in pages that people write: where they stand, what is in them, whether a hand has changed them.

A block stands between two comments, which a reader of the page does not see:

    <!-- generated: verdicts of mend -->
    ...
    <!-- end of verdicts of mend, 1f3a5c7e9b02 -->

The letters at the end are the first of the SHA-256 of what stands between, so that a test notices an edit by hand.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Callable, Mapping, Sequence

from scripts.common.errors import UserError
from scripts.common.files import read_text

BLOCK = re.compile(
    r"^<!-- generated: (?P<name>[^\n]+?) -->\n(?P<body>.*?)<!-- end of (?P<end>[^\n,]+), ?(?P<sum>\w*) -->", re.M | re.S
)
SUM_LETTERS = 12
TABLE = "table "
"""What the name of a block begins with that holds a table of a run."""


def checksum(body: str) -> str:
    """Return the letters that stand behind a block with this content."""
    return hashlib.sha256(body.encode("utf-8")).hexdigest()[:SUM_LETTERS]


def block(name: str, body: str) -> str:
    """Return a block with its two comments. body: Markdown without the line breaks around it."""
    inside = f"\n{body.strip()}\n\n"
    return f"<!-- generated: {name} -->\n{inside}<!-- end of {name}, {checksum(inside)} -->"


def blocks_of(text: str) -> dict[str, str]:
    """Return {name: content} of a page's blocks, without the line breaks around it."""
    return {found["name"]: found["body"].strip() for found in BLOCK.finditer(text)}


def edited(text: str) -> list[str]:
    """Return the names of a page's blocks whose content is not what was generated."""
    return [found["name"] for found in BLOCK.finditer(text) if checksum(found["body"]) != found["sum"]]


def without_blocks(text: str) -> str:
    """Return what people have written of a page."""
    return BLOCK.sub("", text)


def renewed(text: str, page: str, fill: Callable[[str], str | None]) -> str:
    """Return a page with its blocks filled anew.

    fill: content by name, None for a block that stays as it is. page: its path, for errors. Raises `UserError` for a
    block that does not end, or ends under another name.
    """
    if len(re.findall(r"^<!-- generated: ", text, flags=re.M)) != len(BLOCK.findall(text)):
        raise UserError(f"{page}: a generated block does not end; close it with `<!-- end of NAME, -->`")

    def fresh(found: re.Match[str]) -> str:
        if found["name"] != found["end"]:
            raise UserError(f"{page}: the block '{found['name']}' ends as '{found['end']}'; give both the same name")
        body = fill(found["name"])
        return found[0] if body is None else block(found["name"], body)

    return BLOCK.sub(fresh, text)


def filler(contents: Mapping[str, str], page: str) -> Callable[[str], str | None]:
    """Return what fills a page's blocks. contents: by name; a run's tables may be missing there.

    The returned function raises `UserError` for a block that nothing fills.
    """

    def fill(name: str) -> str | None:
        if name not in contents and not name.startswith(TABLE):
            raise UserError(f"{page}: nothing fills the block '{name}'; there are: {', '.join(sorted(contents))}")
        return contents.get(name)

    return fill


def pages_with_blocks(pages: Sequence[Path]) -> list[Path]:
    """Return the pages that are there and have a block."""
    return [page for page in pages if page.is_file() and blocks_of(read_text(page))]


def tables_named(pages: Sequence[Path]) -> list[str]:
    """Return the names of the tables for which pages have a block."""
    names = [name for page in pages for name in blocks_of(read_text(page))]
    return sorted({name.removeprefix(TABLE) for name in names if name.startswith(TABLE)})
