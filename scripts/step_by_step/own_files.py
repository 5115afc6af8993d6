"""One's own files: which of their columns hold what. Which file is which split says `scripts.data.split_files`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.errors import RowFault, UserError, did_you_mean
from scripts.data.layout import UNKNOWN, Layout
from scripts.data.reader_base import column_names, value_of
from scripts.data.reader_reasoning import refuse_rows
from scripts.data.readers import raw_records
from scripts.data.rows import Record
from scripts.step_by_step.data import READERS

LOG = logging.getLogger(__name__)

FLAGS = {"input": "--input_column", "label": "--label_column", "rationale": "--rationale_column"}
USUAL = {
    "input": ("question", "text", "prompt", "instruction", "sentence", "query", "premise", "problem", "content"),
    "label": ("answer", "output", "target", "completion", "class", "response", "category", "gold"),
    "rationale": ("reason", "reasons", "reasoning", "explanation", "cot", "chain_of_thought", "thought", "solution"),
}
"""Field -> what others call its column: named in a hint, never taken without being asked for."""


def columns_of(flags: Mapping[str, Any]) -> dict[str, str]:
    """Return field -> column as the flags name them. Raises `UserError` for a template that cannot be read."""
    columns = {field: flags[flag[2:]] for field, flag in FLAGS.items() if flags.get(flag[2:])}
    for field, column in columns.items():
        try:
            names = column_names(column)
        except ValueError as error:
            names = []
            LOG.debug("%s: %s", column, error)
        if not names:
            remedy = "give a name, or a template such as '{context} {question}'"
            raise UserError(f"{FLAGS[field]}: '{column}' names no column; {remedy}")
    return columns


def layout_of(flags: Mapping[str, Any]) -> Layout:
    """Return what the flags say of a table's delimiter and quoting. Raises `UserError` naming a wrong flag."""
    return Layout(None, flags.get("delimiter"), flags.get("quoting")).checked("--")


def read_records(
    path: Path, columns: Mapping[str, str], needed: Sequence[str], layout: Layout = UNKNOWN
) -> list[Record]:
    """Return the rows of one's own file, whatever its form, after checking that the needed columns are there.

    columns: field -> column or template, where it is not called as the field. needed: fields of `FLAGS`.
    layout: of a CSV or TSV file; files of other forms have none.
    Raises `UserError` that names the columns found and the flag to use.
    """
    records = raw_records(path, READERS["generic"], layout)
    if not records:
        raise UserError(f"{path}: holds no examples; expected at least one row")
    check_columns(path, records, columns, needed)
    return records


def has_column(record: Record, column: str) -> bool:
    """Tell whether a row has a column, or a value at a path such as `answers.text.0`."""
    try:
        value_of(record, column)
    except RowFault:
        return False
    return True


def check_columns(path: Path, records: Sequence[Record], columns: Mapping[str, str], needed: Sequence[str]) -> None:
    """Raise `UserError` for the first needed field, or field with a column of its own, that rows do not have."""
    present = list(dict.fromkeys(str(name) for record in records for name in record.values))
    for field, flag in FLAGS.items():
        if field not in needed and field not in columns:
            continue
        whole = columns.get(field, field)
        for column in column_names(whole):
            lacking = [one for one in records if whole not in one.values and not has_column(one, column)]
            if not lacking:
                continue
            places = [record.place.removeprefix(f"{path}:").strip() for record in lacking]
            close = did_you_mean(column, present) if field in columns else ""
            likely = [name for name in present if name.lower() in USUAL[field]]
            remedy = f"name yours with {flag}" + (f", perhaps {flag} {likely[0]}" if likely else "")
            if len(lacking) < len(records):
                remedy = "mend or remove them"
            what = f"have no column '{column}'{close}, found {', '.join(present)}"
            refuse_rows(path, places, len(records), what, remedy)
