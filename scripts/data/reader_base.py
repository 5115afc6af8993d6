"""What all readers of upstream formats share: records with their place in the file, and the mapping onto a schema.

A reader turns a file into flat records (column name -> value); `to_rows` turns records into canonical rows by a column
mapping, so that a file with other column names needs a registry row and no code.
"""

from __future__ import annotations

import csv
import io
import string
from typing import Any, Mapping, NamedTuple, Sequence

from scripts.common.errors import UserError, did_you_mean
from scripts.common.files import PathLike, numbered_jsonl, read_json, read_text
from scripts.data.schemas import Field, Schema


class Record(NamedTuple):
    """One row of a raw file: where it stands (for messages) and its values by column name."""

    place: str
    values: dict[str, Any]


def json_records(path: PathLike) -> list[Record]:
    """Read a JSON list of objects, or JSON lines: whichever the file holds. Raises `UserError` naming line or row."""
    text = read_text(path).lstrip()
    if not text:
        raise UserError(f"{path}: the file is empty; expected a JSON list or JSON lines")
    if text[0] != "[":
        return [Record(f"{path}:{number}", row) for number, row in numbered_jsonl(path)]
    rows = read_json(path)
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise UserError(f"{path}: row {number} is {type(row).__name__}, not a JSON object; mend or remove it")
    return [Record(f"{path}: row {number}", row) for number, row in enumerate(rows)]


def table_records(path: PathLike, *, delimiter: str, quoted: bool, header: Sequence[str] | None = None) -> list[Record]:
    """Read a CSV (quoted) or TSV (not quoted) file whose first line names the columns unless `header` does.

    Raises `UserError` for an empty file, a line with another number of columns or a quote that is never closed.
    """
    text = read_text(path)
    lines = _quoted_lines(path, text, delimiter) if quoted else _plain_lines(text, delimiter)
    columns = list(header) if header is not None else (lines.pop(0)[1] if lines else [])
    if not lines:
        raise UserError(f"{path}: the file holds no rows; fetch it again or check the path")
    for number, cells in lines:
        if len(cells) != len(columns):
            raise UserError(
                f"{path}:{number}: {len(cells)} columns where {len(columns)} are expected ({', '.join(columns)}); "
                "mend that line or name the columns under 'header' in the registry"
            )
    return [Record(f"{path}:{number}", dict(zip(columns, cells))) for number, cells in lines]


def _plain_lines(text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    lines = enumerate(text.split("\n"), start=1)
    return [(number, line.rstrip("\r").split(delimiter)) for number, line in lines if line.strip("\r")]


def _quoted_lines(path: PathLike, text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    lines: list[tuple[int, list[str]]] = []
    try:
        start = 1
        for cells in reader:
            if cells:
                lines.append((start, cells))
            start = reader.line_num + 1
    except csv.Error as error:
        raise UserError(f"{path}:{reader.line_num}: broken CSV ({error}); mend that line") from None
    return lines


def parquet_records(path: PathLike) -> list[Record]:
    """Read a parquet file through pyarrow. Raises `UserError` if it is missing or damaged."""
    import pyarrow
    from pyarrow import parquet

    try:
        rows = parquet.read_table(path).to_pylist()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; check the path") from None
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise UserError(f"{path}: not a readable parquet file ({str(error).splitlines()[0]}); fetch it again") from None
    return [Record(f"{path}: row {number}", row) for number, row in enumerate(rows)]


def column_names(column: str) -> list[str]:
    """Return the columns that a template such as "{premise} {hypothesis}" is filled from; a plain name is its own."""
    return [name for _, name, _, _ in string.Formatter().parse(column) if name] if "{" in column else [column]


def value_of(record: Record, column: str) -> Any:
    """Return the value of a column, or of a template such as "{premise} {hypothesis}" filled from several columns."""
    if "{" in column:
        names = column_names(column)
        return column.format(**{name: value_of(record, name) for name in names})
    if column not in record.values:
        found = [str(name) for name in record.values]
        raise UserError(
            f"{record.place}: column '{column}' is missing{did_you_mean(column, found)}; "
            f"found {', '.join(found)}; name the right one under 'columns' in the registry"
        )
    return record.values[column]


def _label_text(record: Record, value: Any, labels: Sequence[str]) -> Any:
    """Return the label that a class number stands for; a label given by its name stays."""
    if not labels or value in labels or isinstance(value, bool):
        return value
    number = int(value) if isinstance(value, str) and value.isdecimal() else value
    if not isinstance(number, int):
        return value
    if number >= len(labels) or number < 0:
        raise UserError(
            f"{record.place}: label number {number}, but 'labels' names {len(labels)} (0 to {len(labels) - 1}); "
            "mend the row or the list of labels in the registry"
        )
    return labels[number]


def _field_value(
    record: Record, number: int, name: str, field: Field, columns: Mapping[str, str], labels: Sequence[str]
) -> Any:
    if name not in columns and name not in record.values:
        if name == "id":
            return str(number)
        if field.default is not None:
            return field.default
    value = value_of(record, columns.get(name, name))
    if value is None and field.default is not None:
        return field.default
    if name == "output":
        value = _label_text(record, value, labels)
    if field.kind == "text" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


def to_rows(
    records: Sequence[Record],
    schema: Schema,
    columns: Mapping[str, str],
    labels: Sequence[str] | None = None,
    task: str = "",
) -> list[dict[str, Any]]:
    """Turn records into canonical rows (not yet validated).

    columns: field -> column or template; a field without entry is read from the column of its own name, or gets its
    default. A row without id gets its number in the file, counted from 0. Classification: class numbers become
    `labels`; options are `labels`, or the labels that occur (sorted) if that is None; [] means free-form.
    Raises `UserError` for a column that is not there or a class number without label.
    """
    for name in columns:
        if name not in schema.fields:
            raise UserError(
                f"columns: '{name}' is not a field of schema {schema.name}"
                f"{did_you_mean(name, list(schema.fields))}; fields: {', '.join(schema.fields)}"
            )
    rows = []
    for number, record in enumerate(records):
        if schema.name == "classification" and "task" not in record.values and "task" not in columns:
            record = Record(record.place, {**record.values, "task": task})
        rows.append(
            {
                name: _field_value(record, number, name, field, columns, labels or ())
                for name, field in schema.fields.items()
            }
        )
    if schema.name == "classification" and not any("options" in (*columns, *record.values) for record in records):
        outputs = {row["output"] for row in rows if isinstance(row["output"], str)}
        options = list(labels) if labels is not None else sorted(outputs)
        for row in rows:
            row["options"] = options
    return rows
