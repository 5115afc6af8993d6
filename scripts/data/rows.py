"""From any file of rows to records: JSON in all its forms, CSV and TSV, parquet; plain or packed.

`read_rows` is the one entry: the readers of upstream formats, `distillm`, the task files of MEND and DELIFT's own
registries stand on it. A record is a row as its file has it (column name -> value) with the place where it stands.
Standard library only, but for parquet (pyarrow) and Zstandard.
"""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any, NamedTuple, Sequence

from scripts.common.errors import Faults, UserError
from scripts.common.files import PathLike, numbered_objects, text_of
from scripts.common.json_text import JsonFault, decode, decode_from
from scripts.common.packed import bare_name, read_bytes
from scripts.data.endings import ENDINGS
from scripts.data.json_forms import rows_of_object
from scripts.data.layout import UNKNOWN, Layout
from scripts.data.tables import read_table

LOG = logging.getLogger(__name__)

FORMS = ("json", "csv", "tsv", "parquet")
PARQUET_MARK = b"PAR1"


class Record(NamedTuple):
    """One row of a raw file: where it stands (for messages) and its values by column name."""

    place: str
    values: dict[str, Any]


def read_rows(path: PathLike, form: str | None = None, layout: Layout = UNKNOWN) -> list[Record]:
    """Return the rows of a file.

    form: one of FORMS; None takes it from the name's ending, and where that says nothing from the content. A parquet
    file is known by its first bytes whatever its name. layout: of a CSV or TSV file.
    Raises `UserError` in one line that names file, line or row and remedy; faulty rows are all counted.
    """
    content = read_bytes(path)
    found = form_of(path, content)
    if form is None:
        form = found
    elif found == "parquet" and form != "parquet":
        raise UserError(f"{path}: is a parquet file, not {form}; name the reader parquet (or any)")
    if form == "parquet":
        return parquet_rows(content, path)
    text = text_of(content, path)
    if form == "json":
        return json_rows(text, path)
    lines, columns = read_table(text, path, form, layout.checked())
    return [Record(f"{path}:{number}", dict(zip(columns, cells))) for number, cells in lines]


def form_of(path: PathLike, content: bytes) -> str:
    """Return the form of a file's rows: by its first bytes, by its name, or by what it begins with."""
    if content.startswith(PARQUET_MARK):
        return "parquet"
    known = ENDINGS.get(Path(bare_name(path)).suffix.lower())
    if known is not None:
        return known
    start = content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    return "json" if start in (b"[", b"{") else "tsv" if b"\t" in content.split(b"\n", 1)[0] else "csv"


def json_rows(text: str, path: PathLike) -> list[Record]:
    """Return the rows of a JSON text: a list, lines, objects one after the other, or one object with rows inside.

    One object is one row, or holds the rows under a key or by their names (`rows_of_object`).
    Raises `UserError` naming line or row.
    """
    start = text.lstrip(" \t\r\n")
    if not start:
        raise UserError(f"{path}: the file is empty; expected a JSON list or JSON lines")
    if start[0] == "[":
        try:
            return listed_rows(decode(text), path)
        except JsonFault as fault:
            raise UserError(_broken(path, fault)) from None
    records = _lines_or_objects(text, path)
    if len(records) == 1:
        inner = rows_of_object(records[0].values, records[0].place)
        if inner is not None:
            where, rows = inner
            LOG.info("%s: one object with %d rows (%s)", path, len(rows), where)
            return listed_rows(rows, path, where)
    return records


def listed_rows(rows: Sequence[Any], path: PathLike, where: str = "") -> list[Record]:
    """Return the objects of a list as records. Raises `UserError` counting what is no object."""
    inside = f"{where}, " if where else ""
    faults = Faults(path, len(rows))
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            fault = f"expected a JSON object, found {type(row).__name__}; mend or remove it"
            faults.add(f"{path}: {inside}row {number}", fault)
    faults.refuse()
    return [Record(f"{path}: {inside}row {number}", row) for number, row in enumerate(rows)]


def _broken(path: PathLike, fault: JsonFault) -> str:
    line = f":{fault.line}" if fault.line else ""
    return f"{path}{line}: broken JSON ({fault.told()}); mend or remove that line"


def _lines_or_objects(text: str, path: PathLike) -> list[Record]:
    """Return the objects of a text: one a line, else one after the other, with or without commas, indented or not."""
    try:
        return [Record(f"{path}:{number}", row) for number, row in numbered_objects(text, path)]
    except UserError as error:
        of_lines = error
    try:
        return _objects(text, path)
    except JsonFault as fault:
        first = next(line for line in text.split("\n") if line.strip())
        try:
            decode(first)
        except JsonFault:
            raise UserError(_broken(path, fault)) from None
        raise of_lines from None  # the first line is a row: these are lines, and all that are faulty count


def _objects(text: str, path: PathLike) -> list[Record]:
    records: list[Record] = []
    place, line, counted = 0, 1, 0
    while True:
        while place < len(text) and text[place] in " \t\r\n,":
            place += 1
        if place == len(text):
            return records
        line, counted = line + text.count("\n", counted, place), place
        value, place = decode_from(text, place)
        if not isinstance(value, dict):
            raise UserError(f"{path}:{line}: expected a JSON object, found {type(value).__name__}")
        records.append(Record(f"{path}:{line}", value))


def parquet_rows(content: bytes, path: PathLike) -> list[Record]:
    """Return the rows of a parquet file through pyarrow; a NaN among numbers is a missing value, None.

    Raises `UserError` for a damaged file, two columns of one name, or values that Python has no form for.
    """
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(pyarrow.BufferReader(content)) as file:
            names = file.schema_arrow.names
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise UserError(f"{path}: two columns are called '{twice}'; rename or remove one of them")
            rows = file.read().to_pylist()
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError, UnicodeDecodeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path}: not a readable parquet file ({reason:.200}); fetch it again") from None
    return [Record(f"{path}: row {number}", _without_nan(row)) for number, row in enumerate(rows)]


def _without_nan(row: dict[str, Any]) -> dict[str, Any]:
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}
