"""Distilled sets on disk: JSON lines as DiLM releases them, and parquet with the columns that a reader expects.

JSON lines: one object per text, its text columns and `labels`, a class number; grouped by class. Parquet: the text
columns and `label` (int64), sorted by class, stable; a `Layout` says what else. `read_set` reads both.

# DEVIATION: DDG's converter keeps the old index as a column and sorts with an unstable sort; ours does neither.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError
from scripts.common.files import PathLike, atomic_path, numbered_jsonl, write_jsonl

LABEL_KEYS = ("labels", "label")
LABEL_TEXT = "label_text"
INDEX_COLUMN = "__index_level_0__"  # what pandas leaves in files of DDG's converter


@dataclasses.dataclass(frozen=True)
class TextSet:
    """A set of labelled texts. texts: a tuple of one string for each of `columns`; labels: class numbers."""

    columns: tuple[str, ...]
    texts: tuple[tuple[str, ...], ...]
    labels: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Layout:
    """Which columns a parquet file has, beside the text columns and `label`.

    label_text: also each label's name, as `label_text`. names: what columns are called instead, {"label": "labels"}.
    label_lists: each label is a list of one number, as in GoEmotions.
    """

    label_text: bool = False
    names: Mapping[str, str] = dataclasses.field(default_factory=dict)
    label_lists: bool = False


def set_path(folder: PathLike, seed: int, dpc: int, draw: int, suffix: str = "jsonl") -> Path:
    """Return where the set of one seed, size (texts a class) and draw lies below `folder`."""
    return Path(folder) / f"seed_{seed}" / f"dpc_{dpc}" / f"draw_{draw}.{suffix}"


def write_set(path: PathLike, given: TextSet) -> None:
    """Write a set as JSON lines, whole or not at all."""
    write_jsonl(
        path, ({**dict(zip(given.columns, text)), "labels": own} for text, own in zip(given.texts, given.labels))
    )


def read_set(path: PathLike, columns: Sequence[str], n_classes: int) -> TextSet:
    """Return the set in a JSON-lines (.jsonl, .json) or parquet file.

    columns: the text columns to take; n_classes: labels must be 0..n_classes-1.
    Raises `UserError` naming file, row and field.
    """
    source = Path(path)
    if source.suffix == ".parquet":
        from scripts.data.reader_base import parquet_records

        rows = [(record.place, record.values) for record in parquet_records(source)]
    else:
        rows = [(f"{source}:{number}", row) for number, row in numbered_jsonl(source)]
    if not rows:
        raise UserError(f"{source}: holds no texts; make the set again")
    texts = tuple(_texts(place, row, columns) for place, row in rows)
    labels = tuple(_label(place, row, n_classes) for place, row in rows)
    return TextSet(tuple(columns), texts, labels)


def _texts(place: str, row: dict[str, Any], columns: Sequence[str]) -> tuple[str, ...]:
    for column in columns:
        if not isinstance(row.get(column), str):
            found = ", ".join(key for key in row if key not in (*LABEL_KEYS, LABEL_TEXT, INDEX_COLUMN))
            raise UserError(
                f"{place}: text column '{column}' is missing or no text (found {found}); correct text_columns"
            )
    return tuple(row[column] for column in columns)


def _label(place: str, row: dict[str, Any], n_classes: int) -> int:
    values = [row[key] for key in LABEL_KEYS if key in row]
    if len(values) == 1 and isinstance(values[0], list) and len(values[0]) == 1:
        values = values[0]  # GoEmotions' form
    if len(values) != 1 or isinstance(values[0], bool) or not isinstance(values[0], int):
        raise UserError(f"{place}: needs one class number under 'labels' (or 'label'), found {values}; mend the row")
    if not 0 <= values[0] < n_classes:
        raise UserError(
            f"{place}: label {values[0]} is outside the table of {n_classes} labels (0 to {n_classes - 1});"
            " mend the row or the dataset's labels"
        )
    return values[0]


def write_parquet(path: PathLike, given: TextSet, label_names: Sequence[str], layout: Layout = Layout()) -> None:
    """Write a set with its text columns, `label` and what `layout` adds or renames; sorted by class, stable.

    Raises `UserError` for a text column of a reserved name, and for new names that are not those of other columns.
    """
    import pyarrow
    from pyarrow import parquet

    for column in given.columns:
        if column in (*LABEL_KEYS, LABEL_TEXT):
            raise UserError(f"text_columns: '{column}' is the name of a label column; rename the text column")
    order = sorted(range(len(given.labels)), key=lambda row: given.labels[row])
    labels = [given.labels[row] for row in order]
    columns = {
        column: pyarrow.array([given.texts[row][place] for row in order], pyarrow.string())
        for place, column in enumerate(given.columns)
    }
    if layout.label_lists:
        columns["label"] = pyarrow.array([[label] for label in labels], pyarrow.list_(pyarrow.int64()))
    else:
        columns["label"] = pyarrow.array(labels, pyarrow.int64())
    if layout.label_text:
        columns[LABEL_TEXT] = pyarrow.array([label_names[label] for label in labels], pyarrow.string())
    for name in layout.names:
        if name not in columns:
            raise UserError(f"rename: no column '{name}'; the set has {', '.join(columns)}")
    renamed = [layout.names.get(name, name) for name in columns]
    if len(set(renamed)) != len(renamed):
        raise UserError(f"rename: two columns would have one name ({', '.join(renamed)}); give different names")
    table = pyarrow.table(dict(zip(renamed, columns.values())))
    with atomic_path(path) as temporary:
        parquet.write_table(table, temporary, compression="none")
