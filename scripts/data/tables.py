"""CSV and TSV: delimiter and quoting are found by looking where nobody says them.

Quoted cells follow RFC 4180: `"` encloses a cell, `""` is one of them inside, and line breaks are allowed there. A TSV
file may have none of this (GLUE, GoEmotions: `"` is a letter like any other) or all of it (pandas), see `looks_quoted`.
"""

from __future__ import annotations

import csv
import io
import logging
import re
from typing import Iterable, Iterator, Sequence

from scripts.common.errors import Faults, UserError
from scripts.common.files import LONGEST_CELL, PathLike
from scripts.data.layout import Layout

LOG = logging.getLogger(__name__)

Line = tuple[int, list[str]]
USUAL = {"csv": (",", ";", "\t", "|"), "tsv": ("\t", ",", ";", "|")}
"""Delimiters that a file's form suggests, the likeliest first."""
NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
LOOKED_AT = 200  # lines by which a delimiter is found


def read_table(text: str, path: PathLike, form: str, layout: Layout) -> tuple[list[Line], list[str]]:
    """Return (line number, cells) of the rows of a table, and its column names.

    form: csv or tsv; layout: what is known of it. Columns without a name and without values are left out.
    Raises `UserError` for an empty file, two columns of one name, lines with another number of columns (all counted) or
    a quote that is never closed.
    """
    delimiter, quoted = table_style(text, path, form, layout)
    lines = _quoted_lines(path, text, delimiter) if quoted else list(_plain_lines(text, delimiter))
    columns = list(layout.header) if layout.header is not None else (lines.pop(0)[1] if lines else [])
    if not lines:
        raise UserError(f"{path}: the file holds no rows; fetch it again or check the path")
    faults = Faults(path, len(lines))
    for number, cells in lines:
        if len(cells) != len(columns):
            faults.add(
                f"{path}:{number}",
                f"{len(cells)} columns where {len(columns)} are expected ({', '.join(columns):.200}); mend that line, "
                "or name columns (header), delimiter or quoting of the file",
            )
    faults.refuse()
    lines, columns = _without_nameless(lines, columns)
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"{path}: two columns are called '{twice}'; rename or remove one of them")
    return lines, columns


def table_style(text: str, path: PathLike, form: str, layout: Layout) -> tuple[str, bool]:
    """Return a table's delimiter, and whether `"` encloses its cells: as the layout says, else found by looking."""
    delimiter = layout.delimiter or _delimiter(text, form, layout)
    return delimiter, layout.quoting == "yes" if layout.quoting else _quoted(text, form, delimiter, path)


def table_text(rows: Iterable[Sequence[str]], delimiter: str, *, quoted: bool) -> str:
    """Return a table as text, a line each row.

    quoted: whether `"` encloses the cells that need it; else cells stand as they are, unless one of them holds the
    delimiter or a line break.
    """
    rows = list(rows)
    if quoted or any(mark in cell for row in rows for cell in row for mark in (delimiter, "\n", "\r")):
        stream = io.StringIO(newline="")
        csv.writer(stream, delimiter=delimiter, lineterminator="\n").writerows(rows)
        return stream.getvalue()
    return "".join(delimiter.join(row) + "\n" for row in rows)


def _without_nameless(lines: list[Line], columns: list[str]) -> tuple[list[Line], list[str]]:
    """Leave out columns without a name that are empty in all rows: what a spreadsheet leaves behind."""
    empty = {
        place for place, name in enumerate(columns) if not name.strip() and not any(row[place] for _, row in lines)
    }
    if not empty:
        return lines, columns
    kept = [place for place in range(len(columns)) if place not in empty]
    return [(number, [cells[place] for place in kept]) for number, cells in lines], [columns[place] for place in kept]


def _plain_lines(text: str, delimiter: str) -> Iterator[Line]:
    lines = enumerate(text.split("\n"), start=1)
    return ((number, line.rstrip("\r").split(delimiter)) for number, line in lines if line.strip("\r"))


def _quoted_lines(path: PathLike, text: str, delimiter: str) -> list[Line]:
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    lines: list[Line] = []
    start = 1
    try:
        for cells in reader:
            if cells:
                lines.append((start, cells))
            start = reader.line_num + 1
    except csv.Error as error:
        opened = f", in a cell that begins on line {start}" if start < reader.line_num else ""
        raise UserError(
            f"{path}:{reader.line_num}: broken CSV ({error}{opened}); mend that line, or say quoting: no if quotes are "
            "letters like any other"
        ) from None
    return lines


def _delimiter(text: str, form: str, layout: Layout) -> str:
    """Return the first usual delimiter that parts all lines into as many cells, two or more; else the usual one."""
    usual = USUAL[form]
    wanted = len(layout.header) if layout.header is not None else None
    head = _head(text)
    for place, delimiter in enumerate(usual):
        widths = _widths(head, delimiter, quoted=layout.quoting != "no")
        if len(widths) == 1 and (widths == {wanted} if wanted is not None else min(widths) > 1):
            if place:
                LOG.info("read as parted by %s, not by %s", NAMES[delimiter], NAMES[usual[0]])
            return delimiter
    return usual[0]


def _head(text: str) -> str:
    """Return the first lines of a text."""
    place = 0
    for _ in range(LOOKED_AT):
        place = text.find("\n", place) + 1
        if not place:
            return text
    return text[:place]


def _widths(text: str, delimiter: str, *, quoted: bool) -> set[int]:
    """Return the numbers of cells of the lines; none if the quotes do not fit."""
    csv.field_size_limit(LONGEST_CELL)
    style = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=style)
        rows = [len(cells) for cells in reader if cells]
    except csv.Error:
        return set()
    return set(rows[:-1]) or set(rows)  # the last may be cut within a cell


def _quoted(text: str, form: str, delimiter: str, path: PathLike) -> bool:
    if form == "csv" or delimiter != "\t":
        return True
    quoted = looks_quoted(text, delimiter)
    if quoted:
        LOG.info("%s: cells stand in quotes, as pandas writes them; quoting: no takes quotes as letters", path)
    return quoted


def looks_quoted(text: str, delimiter: str) -> bool:
    """Tell whether `"` encloses cells in a TSV file.

    A writer that quotes puts quotes around each cell that holds one and doubles those inside. So the cells are quoted
    where each cell that begins with `"` is well closed, no other cell holds a `"`, and some cell needed its quotes (it
    holds a doubled quote, a tab or a line break) or all cells that are no numbers have them.
    """
    if '"' not in text:
        return False
    mark = re.escape(delimiter)
    cell = re.compile(f'"([^"]*(?:""[^"]*)*)"(?={mark}|\r?\n|\r?$)|([^"{mark}\r\n]*)(?={mark}|\r?\n|\r?$)')
    place, needed, bare = 0, False, False
    while place < len(text):
        found = cell.match(text, place)
        if found is None:
            return False
        inner = found[1]
        if inner is None:
            bare = bare or (bool(found[2]) and not _is_number(found[2]))
        elif '"' in inner or delimiter in inner or "\n" in inner:
            needed = True
        place = found.end()
        if place < len(text) and text[place] == "\r":
            place += 1
        place += 1
    return needed or not bare


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
