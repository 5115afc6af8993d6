"""Labelled texts as DDG sees them: one or two text columns and a class number, from canonical rows."""

from __future__ import annotations

import dataclasses
from typing import Sequence

from scripts.common.errors import UserError
from scripts.common.files import PathLike
from scripts.data.schemas import read_examples

SEPARATOR = "<sep>"


@dataclasses.dataclass(frozen=True)
class Task:
    """Texts with their classes. texts: a tuple of one string for each of `columns`; labels: places in label_names."""

    columns: tuple[str, ...]
    texts: tuple[tuple[str, ...], ...]
    labels: tuple[int, ...]
    label_names: tuple[str, ...]

    @property
    def n_classes(self) -> int:
        """Return the number of classes."""
        return len(self.label_names)

    def rows_of(self, label: int) -> list[int]:
        """Return the places of the texts of one class."""
        return [row for row, own in enumerate(self.labels) if own == label]


def class_token(label: int) -> str:
    """Return the token that begins a text of a class."""
    return f"<class_{label}>"


def split_text(text: str, columns: Sequence[str], place: str) -> tuple[str, ...]:
    """Return a canonical input as one string a column, without the blanks around it, as DiLM and LongICLBench take it.

    Of several columns each stands on a line of its own. Blanks and line breaks within a text stay.
    Raises `UserError` if the number of lines is not that of the columns or one is empty.
    """
    parts = [part.strip() for part in ([text] if len(columns) == 1 else text.split("\n"))]
    if len(parts) != len(columns):
        raise UserError(
            f"{place}: input has {len(parts)} lines for the text columns {', '.join(columns)}; give one line a column"
            ' (registry: columns: {input: "{first}\\n{second}"})'
        )
    for column, part in zip(columns, parts):
        if not part:
            raise UserError(f"{place}: text column '{column}' is empty; fill it or remove the row")
        if SEPARATOR in part or "<class_" in part:
            raise UserError(
                f"{place}: the text holds a marker of the generator ({SEPARATOR} or <class_...>); remove it"
            )
    return tuple(parts)


def read_task(path: PathLike, columns: Sequence[str]) -> Task:
    """Return the canonical rows of `path` as texts and class numbers.

    columns: names of the text columns; a class number is the label's place in the rows' `options`.
    Raises `UserError` naming file and row for free-form rows, options that differ, or texts that do not fit columns.
    """
    if not columns or len(set(columns)) != len(columns):
        raise UserError("text_columns: name one or more different columns")
    rows = read_examples(path, "classification")
    options = rows[0]["options"]
    texts, labels = [], []
    for number, row in enumerate(rows, start=1):
        place = f"{path}: row {number}"
        if row["options"] != options or not options:
            raise UserError(f"{place}: options are empty or not those of row 1; give one list of labels for the task")
        texts.append(split_text(row["input"], columns, place))
        labels.append(options.index(row["output"]))
    return Task(tuple(columns), tuple(texts), tuple(labels), tuple(options))


def check_sizes(task: Task, needed: int, why: str, path: PathLike) -> None:
    """Raise `UserError` naming the first class with fewer than `needed` texts; `why` names the setting."""
    for label, name in enumerate(task.label_names):
        have = len(task.rows_of(label))
        if have < needed:
            raise UserError(
                f"{path}: class '{name}' has {have} examples, {why} needs {needed}; lower {why} or add examples"
            )
