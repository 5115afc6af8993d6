"""What all readers of upstream formats share: records with their place in the file, and the mapping onto a schema.

A reader turns a file into flat records (column name -> value); `to_rows` turns records into canonical rows by a column
mapping, so that a file with other column names needs a registry row and no code.
"""

from __future__ import annotations

import logging
import string
from typing import Any, Callable, Mapping, Sequence, TypeVar

from scripts.common.errors import Faults, RowFault, UserError, did_you_mean
from scripts.common.files import PathLike
from scripts.data.chat import COLUMNS, ChatFault, read_turns, told_of, turns_of
from scripts.data.labels import LabelFault, label_text, plain_text, text_of_number
from scripts.data.rows import Record
from scripts.data.schemas import Field, Schema

LOG = logging.getLogger(__name__)
T = TypeVar("T")
LABEL_FIELDS = ("output", "label", "llm_label")
"""Fields in which a class number becomes its name."""


def each(records: Sequence[Record], path: PathLike, make: Callable[[Record], T]) -> list[T]:
    """Return what `make` makes of each record. Raises `UserError` that counts all records it refuses (`RowFault`)."""
    made, faults = [], Faults(path, len(records))
    for record in records:
        try:
            made.append(make(record))
        except RowFault as fault:
            faults.add(fault.place, fault.fault)
    faults.refuse()
    return made


def value_of(record: Record, column: str) -> Any:
    """Return the value of a column, a path into nested values, or a template filled from several columns.

    A path is `conversations.0.value` or `answers.text.0`, a template "{premise} {hypothesis}"; a column that is called
    so goes first. Raises `RowFault` where it is not there.
    """
    if column in record.values:
        return record.values[column]
    if "{" in column:
        return _filled(record, column)
    value: Any = record.values
    for step in column.split("."):
        if isinstance(value, list) and step.isdecimal() and len(step) < 10 and int(step) < len(value):
            value = value[int(step)]
        elif isinstance(value, dict) and step in value:
            value = value[step]
        else:
            found = [str(name) for name in record.values]
            raise RowFault(
                record.place,
                f"column '{column}' is missing{did_you_mean(column, found)}; "
                f"found {', '.join(found):.300}; name the right one under 'columns' in the registry",
            )
    return value


def column_names(column: str) -> list[str]:
    """Return the columns that a template such as "{premise} {hypothesis}" is filled from; a plain name is its own."""
    return [name for _, name, _, _ in string.Formatter().parse(column) if name] if "{" in column else [column]


def _filled(record: Record, template: str) -> str:
    """Return a template with its columns filled in; what is missing is left empty, what is no text is refused."""
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise UserError(f"columns: '{template}' is no template ({error}); write it as \"{{a}} {{b}}\"") from None
    lines = any("\n" in literal for literal, *_ in parts)
    filled = []
    for literal, name, _, _ in parts:
        filled.append(literal)
        if name is None:
            continue
        value = value_of(record, name)
        if isinstance(value, (list, dict)):
            raise RowFault(record.place, f"column '{name}' holds {type(value).__name__}, not text; name a value in it")
        text = "" if value is None else str(plain_text(value))
        filled.append(one_line(text) if lines else text)
    return "".join(filled)


def one_line(text: str) -> str:
    """Return a text with its line breaks as blanks: where each of several texts has a line of its own."""
    return " ".join(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))


def _say_breaks(records: Sequence[Record], columns: Mapping[str, str]) -> None:
    """Say how many rows have line breaks that a template with a line for each column makes blanks."""
    templates = [column for column in columns.values() if "{" in column and "\n" in column]
    names = {name for template in templates for name in column_names(template)}
    values = ([record.values.get(name) for name in names] for record in records)
    count = sum(any(isinstance(value, str) and one_line(value) != value for value in row) for row in values)
    if count:
        LOG.info("%s: %d of %d rows have line breaks in a column that gets one line; they became blanks",
                 _file_of(records), count, len(records))  # fmt: skip


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
    if value is None and name == "id" and name not in columns:
        return str(number)
    if name in LABEL_FIELDS:
        try:
            return label_text(value, labels)
        except LabelFault as fault:
            raise RowFault(record.place, str(fault)) from None
    if field.kind == "text" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return text_of_number(value)
    return value


def to_rows(
    records: Sequence[Record],
    schema: Schema,
    columns: Mapping[str, str],
    labels: Sequence[str] | None = None,
    task: str = "",
    *,
    turns: str = "first",
    faults: Faults | None = None,
) -> list[dict[str, Any] | None]:
    """Turn records into canonical rows (not yet validated).

    columns: field -> column, path or template; a field without entry is read from the column of its own name, or gets
    its default. A row without id gets its number in the file, counted from 0. Labels: class numbers become `labels`
    (`scripts.data.labels`); a classification row's options are `labels`, or the labels that occur (sorted) if that is
    None; [] means free-form. Instructions: rows that hold a conversation are read by `turns`, first or last
    (`scripts.data.chat`).
    faults: collects faulty rows, each of which becomes None; without it they are refused here.
    Raises `UserError` for a column that is not there or a class number without label.
    """
    _check_names(schema, columns, labels)
    own = faults if faults is not None else Faults("", len(records))
    n_left_out = 0
    rows: list[dict[str, Any] | None] = []
    for number, record in enumerate(records):
        used, without = record, columns
        if schema.name == "classification" and "task" not in record.values and "task" not in columns:
            used = Record(record.place, {**record.values, "task": task})
        try:
            if schema.name == "instruction":
                used, without, left_out = _told(record, columns, turns)
                n_left_out += left_out
            row = {
                name: _field_value(used, number, name, field, without, labels or ())
                for name, field in schema.fields.items()
            }
        except RowFault as fault:
            own.add(fault.place, fault.fault, number)
            rows.append(None)
            continue
        rows.append(row)
    if faults is None:
        own.refuse()
    if n_left_out:
        LOG.warning(
            "%s: %d of %d conversations have further answers, which are left out; turns: last reads the last one, "
            "given all before it", _file_of(records), n_left_out, len(records),
        )  # fmt: skip
    _say_breaks(records, columns)
    if schema.name == "classification" and not any("options" in (*columns, *record.values) for record in records):
        _add_options([row for row in rows if row is not None], labels)
    return rows


def _file_of(records: Sequence[Record]) -> str:
    return records[0].place.partition(": row")[0].rstrip("0123456789").rstrip(":")


def _check_names(schema: Schema, columns: Mapping[str, str], labels: Sequence[str] | None) -> None:
    for name in columns:
        if name not in schema.fields:
            raise UserError(
                f"columns: '{name}' is not a field of schema {schema.name}"
                f"{did_you_mean(name, list(schema.fields))}; fields: {', '.join(schema.fields)}"
            )
    for name in labels or ():
        if not isinstance(name, str):
            raise UserError(f"labels: {name!r} is not text; put each name in quotes")


def _told(record: Record, columns: Mapping[str, str], turns: str) -> tuple[Record, Mapping[str, str], bool]:
    """Return a record with its conversation as instruction and output, the columns left, whether answers are left out.

    A record that has its instruction under that name, or under the column that is named for it, stays as it is.
    """
    column = columns.get("instruction")
    said = None
    if column is not None:
        said = turns_of({COLUMNS[0]: record.values.get(column)})
    elif "instruction" not in record.values:
        said = turns_of(record.values)
    if said is None:
        return record, columns, False
    try:
        told = told_of(read_turns(said, record.values.get("system")), turns)
    except ChatFault as fault:
        raise RowFault(record.place, str(fault)) from None
    values = {**record.values, "instruction": told.instruction, "output": told.output, "input": ""}
    rest = {name: column for name, column in columns.items() if name not in ("instruction", "output", "input")}
    return Record(record.place, values), rest, told.n_left_out > 0


def _add_options(rows: Sequence[dict[str, Any]], labels: Sequence[str] | None) -> None:
    outputs = {row["output"] for row in rows if isinstance(row["output"], str)}
    options = list(labels) if labels is not None else sorted(outputs)
    for row in rows:
        row["options"] = options
