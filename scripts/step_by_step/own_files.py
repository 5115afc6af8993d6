"""One's own files: which of a folder is which split, what form a file has, and which of its columns hold what.

A split's file is called `train.csv`, `anything_train.json` or, as the hub stores data sets,
`train-00000-of-00002.parquet` (also in a folder `data`); validation rows are looked for under four names.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any, Mapping, NamedTuple, Sequence

from scripts.common.errors import UserError, did_you_mean
from scripts.data.reader_base import Record, column_names
from scripts.data.reader_reasoning import refuse_rows
from scripts.data.readers import raw_records

LOG = logging.getLogger(__name__)

FORMS = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")
PACKED = ("", ".gz", ".bz2", ".xz", ".zst", ".zip")
ENDINGS = tuple(form + packed for packed in PACKED for form in FORMS)
SPLIT_NAMES = {
    "train": ("train", "training"),
    "valid": ("valid", "validation", "val", "dev"),
    "test": ("test",),
}
"""Split -> what its file may be called, in the order in which they are looked for."""
FLAGS = {"input": "--input_column", "label": "--label_column", "rationale": "--rationale_column"}
USUAL = {
    "input": ("question", "text", "prompt", "instruction", "sentence", "query", "premise", "problem", "content"),
    "label": ("answer", "output", "target", "completion", "class", "response", "category", "gold"),
    "rationale": ("reason", "reasons", "reasoning", "explanation", "cot", "chain_of_thought", "thought", "solution"),
}
"""Field -> what others call its column: named in a hint, never taken without being asked for."""
_PART = re.compile(r"[-_]\d+([-_]of[-_]\d+)?")


class Named(NamedTuple):
    """A file that is a split or a part of one: what stands before the split's name, and its ending."""

    path: Path
    prefix: str
    split: str
    name: str
    part: str
    ending: str


def named_files(folder: Path) -> list[Named]:
    """Return the files of a folder and of its folder `data` whose names say which split they are."""
    found = []
    for place in (folder, folder / "data"):
        for path in sorted(place.iterdir()) if place.is_dir() else ():
            known = named(path)
            if known is not None and path.is_file():
                found.append(known)
    return found


def named(path: Path) -> Named | None:
    """Return which split a file is by its name; None if its name does not say."""
    ending = max((one for one in ENDINGS if path.name.endswith(one)), key=len, default=None)
    if ending is None:
        return None
    stem = path.name.removesuffix(ending)
    part = re.search(rf"{_PART.pattern}$", stem)
    whole = stem[: part.start()] if part else stem
    for split, names in SPLIT_NAMES.items():
        for name in names:
            prefix = whole.removesuffix(name)
            if prefix != whole and (not prefix or prefix[-1] in "_-."):
                return Named(path, prefix, split, name, part[0] if part else "", ending)
    return None


def files_of(found: Sequence[Named], prefix: str, split: str) -> list[Path]:
    """Return the files of one split in their order: one whole file, or all parts of one form."""
    for name in SPLIT_NAMES[split]:
        mine = [one for one in found if (one.prefix, one.name) == (prefix, name)]
        for ending in ENDINGS:
            some = [one for one in mine if one.ending == ending]
            whole = [one.path for one in some if not one.part]
            if whole:
                return whole[:1]
            if some:
                return [one.path for one in sorted(some, key=lambda one: (_number(one.part), one.path.name))]
    return []


def _number(part: str) -> int:
    return int(re.findall(r"\d+", part)[0])


def reader_of(path: Path) -> str:
    """Return the name of the reader for one's own file, by the file's ending; whatever is no table is JSON."""
    name = path.name
    for packed in PACKED[1:]:
        name = name.removesuffix(packed)
    form = Path(name).suffix.lower()
    return form[1:] if form in (".csv", ".tsv", ".parquet") else "generic_json"


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


def read_records(path: Path, columns: Mapping[str, str], needed: Sequence[str]) -> list[Record]:
    """Return the rows of one's own file, whatever its form, after checking that the needed columns are there.

    columns: field -> column or template, where it is not called as the field. needed: fields of `FLAGS`.
    Raises `UserError` that names the columns found and the flag to use.
    """
    records = raw_records(path, reader_of(path))
    if not records:
        raise UserError(f"{path}: holds no examples; expected at least one row")
    check_columns(path, records, columns, needed)
    return records


def check_columns(path: Path, records: Sequence[Record], columns: Mapping[str, str], needed: Sequence[str]) -> None:
    """Raise `UserError` for the first needed field, or field with a column of its own, that rows do not have."""
    present = list(dict.fromkeys(str(name) for record in records for name in record.values))
    for field, flag in FLAGS.items():
        if field not in needed and field not in columns:
            continue
        for column in column_names(columns.get(field, field)):
            lacking = [record for record in records if column not in record.values]
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
