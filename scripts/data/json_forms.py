"""The forms in which one JSON object holds a whole file's rows: under a key, by their names, or column by column."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError
from scripts.data.chat import is_conversation

HOLDERS = ("data", "rows", "examples", "records", "items", "samples", "entries", "dataset", "train", "validation",
           "valid", "val", "dev", "test")  # fmt: skip
"""Keys under which a file keeps its rows, besides others."""
CONTENT = ("messages", "conversations", "conversation", "dialog", "dialogue", "turns", "choices", "instances", "prompt",
           "completion", "answers", "options", "tools", "documents", "passages")  # fmt: skip
"""Keys that hold a list of objects in ONE row: turns of a conversation, instances of a task, choices of a question."""


def rows_of_object(value: Mapping[str, Any], place: str) -> tuple[str, Sequence[Any]] | None:
    """Return the rows that one object holds and where, or None where the object is a row itself.

    - a list of objects under one of HOLDERS, or under the only key ({"data": [...]}, {"questions": [...]});
    - pandas' `split` form: columns and data, and its default form, which is one object a column, by row numbers;
    - rows by their names ({"q1": {...}, "q2": {...}}), the name becoming the row's id where it has none.
    Raises `UserError` where several keys hold rows: a split is one file.
    """
    if isinstance(value.get("columns"), list) and _lists_of(value.get("data"), len(value["columns"])):
        names = [str(name) for name in value["columns"]]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise UserError(f"{place}: two columns are called '{twice}'; rename or remove one of them")
        return "data", [dict(zip(names, row)) for row in value["data"]]
    held = [key for key in HOLDERS if _objects(value.get(key))]
    if len(value) == 1 and not held:
        held = [key for key in value if key not in CONTENT and _objects(value[key])]
    if len(held) > 1:
        raise UserError(f"{place}: holds several lists of rows ({', '.join(held)}); put each in a file of its own")
    if held:
        return held[0], [_unwrapped(row) for row in value[held[0]]]
    inner = list(value.values())
    if inner and all(isinstance(one, dict) and one for one in inner):
        keys = list(inner[0])
        if all(list(one) == keys for one in inner):
            if all(key.isdecimal() for key in keys):
                return "by columns", [{name: column[key] for name, column in value.items()} for key in keys]
            if len(inner) > 1 or all(key.isdecimal() for key in value):
                return "by names", [{"id": name, **row} for name, row in value.items()]
    return None


def _objects(value: Any) -> bool:
    """Tell whether a value is a list of rows: objects, but not the turns of one conversation."""
    rows = isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)
    return rows and not is_conversation(value)


def _lists_of(value: Any, length: int) -> bool:
    return isinstance(value, list) and all(isinstance(row, list) and len(row) == length for row in value)


def _unwrapped(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a row without the wrapping of the hub's own row service: {"row_idx": 0, "row": {...}}."""
    return row["row"] if "row_idx" in row and isinstance(row.get("row"), dict) else row
