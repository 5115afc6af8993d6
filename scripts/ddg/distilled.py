"""Distilled sets on disk: JSON lines as DiLM releases them, and parquet with the columns that a reader expects.

JSON lines: one object per text, its text columns and `labels`, a class number; grouped by class. Parquet: the text
columns and `label` (int64), sorted by class, stable; a `Layout` says what else. `read_set` reads both.

# DEVIATION: DDG's converter keeps the old index as a column and sorts with an unstable sort; ours does neither.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Mapping, Sequence

from scripts.common.errors import RowFault, UserError
from scripts.common.files import PathLike, atomic_path, write_jsonl
from scripts.common.packed import read_bytes
from scripts.data.reader_base import each
from scripts.data.rows import Record, read_rows

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
    """Return the set in a file of rows: JSON lines, parquet or any other form.

    columns: the text columns to take; n_classes: labels must be 0..n_classes-1.
    Raises `UserError` naming file, row and field.
    """
    source = Path(path)
    records = read_rows(source) if read_bytes(source).strip() else []
    if not records:
        raise UserError(f"{source}: holds no texts; make the set again")
    rows = each(records, source, lambda record: (_texts(record, columns), _label(record, n_classes)))
    return TextSet(tuple(columns), tuple(texts for texts, _ in rows), tuple(label for _, label in rows))


def _texts(record: Record, columns: Sequence[str]) -> tuple[str, ...]:
    row = record.values
    for column in columns:
        if not isinstance(row.get(column), str):
            found = ", ".join(key for key in row if key not in (*LABEL_KEYS, LABEL_TEXT, INDEX_COLUMN))
            raise RowFault(
                record.place, f"text column '{column}' is missing or no text (found {found}); correct text_columns"
            )
    return tuple(row[column] for column in columns)


def _label(record: Record, n_classes: int) -> int:
    values = [record.values[key] for key in LABEL_KEYS if key in record.values]
    value = values[0] if len(values) == 1 else None
    if isinstance(value, list) and len(value) == 1:  # GoEmotions' form
        value = value[0]
    if isinstance(value, str) and len(value) < 10 and value.isascii() and value.isdecimal():  # from a table
        value = int(value)
    if isinstance(value, float) and value.is_integer():  # whole numbers with gaps, as pandas writes them
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        told = f"needs one class number under 'labels' (or 'label'), found {values!r:.80}; mend the row"
        raise RowFault(record.place, told)
    if not 0 <= value < n_classes:
        raise RowFault(
            record.place,
            f"label {value} is outside the table of {n_classes} labels (0 to {n_classes - 1});"
            " mend the row or the dataset's labels",
        )
    return value


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
