"""What the page shows of one table or figure: caption, numbers, picture, links and its verdict."""

from __future__ import annotations

import base64
import collections
import dataclasses
import os
import struct
import urllib.parse
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError
from scripts.common.files import read_csv
from scripts.common.metrics import is_finite_number
from scripts.common.names import text_in_words
from scripts.common.plotting import PNG_DPI
from scripts.common.tables import DASH, PUBLISHED_SUFFIX, RenderedTable, read_markdown_table
from scripts.report.captions import Span, plain_text
from scripts.report.manifest import (
    PAPERS,
    ArtifactSource,
    anchor,
    artifact_title,
    paper_name,
    places_of,
    printed_in,
    read_caption,
)

FILE_NAMES = {"csv": "CSV", "md": "Markdown", "tex": "LaTeX", "pdf": "PDF", "png": "PNG"}
STATUS_NAMES = {
    "reproduced": "reproduced",
    "deviates": "deviates",
    "agrees": "agrees with our own",
    "differs": "differs from our own",
    "not_run": "not run",
}
"""Status of a comparison -> its name; "our own" are values that we measured before on released files."""
DASH_MARK = "¹"  # before the first reason below a table
FIGURE_ROWS_SHOWN = 60  # rows of a figure's CSV shown on the page; the file itself holds them all
PRINT_SCALE = 1.3  # figures are shown this much larger than printed, which makes their letters as large as the page's


@dataclasses.dataclass(frozen=True)
class Link:
    """A link to a file beside the report."""

    name: str
    href: str


@dataclasses.dataclass(frozen=True)
class Status:
    """The verdict on an artifact: a comparison status or "own"; its text; why values of it are not compared."""

    kind: str
    text: str
    reason: str = ""


@dataclasses.dataclass(frozen=True)
class Picture:
    """An image inside the page: its data as a URL, width and height in CSS pixels."""

    url: str
    width: int
    height: int


@dataclasses.dataclass(frozen=True)
class Artifact:
    """One table or figure as the template shows it. `rows_left_out` counts rows of `table` that only the CSV holds."""

    anchor: str
    name: str
    kind: str
    title: str
    lead: str
    paragraphs: list[list[Span]]
    table: RenderedTable
    published: tuple[bool, ...]
    picture: Picture | None
    alt: str
    links: list[Link]
    status: Status
    rows_left_out: int = 0


def judge(rows: Sequence[Mapping[str, str]], *, built: bool) -> Status:
    """Return the verdict on an artifact from its comparison rows: one deviation outweighs everything else.

    Values that no paper printed, but which we measured on released files, are counted only where no printed one is.

    built: the artifact is part of this run, so that without a comparable value it is "not compared", else "not run".
    """
    if not rows:
        return Status("own", "no published value")
    printed = [row for row in rows if row["origin"] == "paper"]
    if any(row["status"] != "not_run" for row in printed) or all(row["status"] == "not_run" for row in rows):
        rows = printed or rows
    else:
        rows = [row for row in rows if row["origin"] != "paper"]
    counts = collections.Counter(row["status"] for row in rows)
    notes = collections.Counter(row["note"] for row in rows if row["status"] == "not_run")
    reason = notes.most_common(1)[0][0] if notes else ""
    if reason and counts["not_run"] < len(rows):
        reason = f"{counts['not_run']} of {len(rows)} published values, e.g. {reason}"
    for status in ("deviates", "reproduced", "differs", "agrees"):
        if counts[status]:
            return Status(status, f"{STATUS_NAMES[status]}: {counts[status]} of {len(rows)}", reason)
    return Status("not_run", "not compared" if built else "not run", reason)


def unmeasured(table: RenderedTable) -> Status | None:
    """Return "not run", with the reason, for a table without any measured value; None for every other."""
    ours = [n for n, title in enumerate(table.header) if table.numeric[n] and not title.endswith(PUBLISHED_SUFFIX)]
    cells = [row[n] for row in table.rows for n in ours]
    if not cells or not all(cell.startswith(DASH) for cell in cells):
        return None
    reasons = [note[1:].strip() for note in table.notes if note.startswith(DASH_MARK)]
    return Status("not_run", "not run", reasons[0].removeprefix("Not run: ").rstrip(".") if reasons else "")


def png_size(content: bytes, name: str) -> tuple[int, int]:
    """Return width and height in pixels of a PNG file. Raises `UserError` if it is none."""
    if content[:8] != b"\x89PNG\r\n\x1a\n" or len(content) < 24:
        raise UserError(f"{name}: not a PNG image; delete it and run again")
    return struct.unpack(">II", content[16:24])


def build_artifact(
    source: ArtifactSource,
    config: Mapping[str, Any],
    comparison: Sequence[Mapping[str, str]],
    folder: Path,
) -> Artifact:
    """Read one artifact's files into what the template shows. folder: where the report lies, for relative links."""
    files = {Path(file).suffix[1:]: Path(file) for file in source.files}
    lead, paragraphs = read_caption(source, config)
    title = artifact_title(source.artifact)
    picture, left_out = None, 0
    if source.kind == "table":
        table = in_readers_words(read_markdown_table(files["md"]))
    else:
        table, left_out = _figure_numbers(files["csv"])
        picture = read_picture(files["png"])
    return Artifact(
        anchor=anchor(source.paper, source.artifact),
        name=source.artifact,
        kind=source.kind,
        title=title,
        lead=lead,
        paragraphs=paragraphs,
        table=table,
        published=tuple(title.endswith(PUBLISHED_SUFFIX) for title in table.header),
        picture=picture,
        alt=". ".join(filter(None, [title, lead, plain_text(paragraphs)])),
        links=[Link(name, relative_link(files[kind], folder)) for kind, name in FILE_NAMES.items() if kind in files],
        status=unmeasured(table) or judge(printed_in(comparison, source.paper, source.artifact), built=True),
        rows_left_out=left_out,
    )


def in_readers_words(table: RenderedTable) -> RenderedTable:
    """Return a table with models and data sets in words; its files keep the names of the configuration."""
    return dataclasses.replace(
        table,
        caption=text_in_words(table.caption),
        header=tuple(map(text_in_words, table.header)),
        rows=tuple(tuple(map(text_in_words, row)) for row in table.rows),
        notes=tuple(map(text_in_words, table.notes)),
    )


def read_picture(path: Path) -> Picture:
    """Return a PNG file as the page holds it. Raises `UserError` if it is missing or none."""
    content = read_bytes(path)
    width, height = (round(side / PNG_DPI * 96 * PRINT_SCALE) for side in png_size(content, str(path)))
    return Picture("data:image/png;base64," + base64.b64encode(content).decode("ascii"), width, height)


def _figure_numbers(path: Path) -> tuple[RenderedTable, int]:
    """Return the first rows of the CSV that a figure draws as a table, and how many more there are."""
    rows = read_csv(path)
    header = tuple(rows[0]) if rows else ()
    numeric = tuple(all(is_finite_number(row[name] or "0") for row in rows) for name in header)
    shown = tuple(tuple(row[name] or "—" for name in header) for row in rows[:FIGURE_ROWS_SHOWN])
    return RenderedTable("", header, numeric, shown, ()), max(0, len(rows) - FIGURE_ROWS_SHOWN)


def read_bytes(path: Path) -> bytes:
    """Return a file's content. Raises `UserError` if there is no such file."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; check the path")
    return path.read_bytes()


def relative_link(path: Path, folder: Path) -> str:
    """Return the link from a page in `folder` to a file."""
    return urllib.parse.quote(Path(os.path.relpath(path, folder)).as_posix())


def group_papers(
    artifacts: Sequence[tuple[str, Artifact]], comparison: Sequence[Mapping[str, str]]
) -> list[dict[str, Any]]:
    """Return the papers in order of appearance, each with its artifacts and with published ones that were not built."""
    keys = dict.fromkeys([*(paper for paper, _ in artifacts), *(row["paper"] for row in comparison)])
    papers: list[dict[str, Any]] = []
    for key in keys:
        built = [artifact for paper, artifact in artifacts if paper == key]
        rows = [row for row in comparison if row["paper"] == key]
        absent = sorted({name for row in rows for name in places_of(row)} - {artifact.name for artifact in built})
        papers.append(
            {
                "key": key,
                "name": paper_name(key),
                "about": PAPERS[key].about if key in PAPERS else "",
                "artifacts": built,
                "absent": [(artifact_title(name), judge(printed_in(rows, key, name), built=False)) for name in absent],
            }
        )
    return papers
