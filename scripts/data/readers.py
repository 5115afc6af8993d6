"""Readers by name: from the formats in which data sets are published to the canonical schemas.

`read_raw` is the one entry. Every reader accepts UTF-8 text or parquet, plain or packed (`scripts.common.packed`), rows
in any form that `scripts.data.rows` knows unless its format is one of them, and names file, line and remedy where a
file is not what it should be.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any, Callable, Mapping, Sequence

from scripts.common.checksums import check_beside
from scripts.common.errors import Faults, UserError, did_you_mean
from scripts.common.files import PathLike
from scripts.common.settings import check_choice
from scripts.data.chat import WAYS
from scripts.data.layout import UNKNOWN, Layout
from scripts.data.reader_base import to_rows
from scripts.data.reader_instructions import dialogues, prompted_tasks, task_instances
from scripts.data.reader_labelled import ag_news, distilled_sets, go_emotions, grade_school_math
from scripts.data.reader_reasoning import REASONING_READERS, asdiv_problems, model_outputs
from scripts.data.rows import Record, read_rows
from scripts.data.schemas import find_schema, validate


@dataclasses.dataclass(frozen=True)
class Reader:
    """How to read one upstream format: its records, and the columns that fill each schema it can fill."""

    records: Callable[..., list[Record]]
    columns: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    """Schema -> field -> column; the first schema is the format's own. Empty: any schema, columns by their names."""
    header: tuple[str, ...] | None = None
    """Column names of a table without header line; None where the file, or the registry, names them."""


def _json(path: PathLike) -> list[Record]:
    return read_rows(path, "json")


def _parquet(path: PathLike) -> list[Record]:
    return read_rows(path, "parquet")


def _csv(path: PathLike, layout: Layout) -> list[Record]:
    return read_rows(path, "csv", layout)


def _tsv(path: PathLike, layout: Layout) -> list[Record]:
    return read_rows(path, "tsv", layout)


def _any(path: PathLike, layout: Layout) -> list[Record]:
    return read_rows(path, layout=layout)


_LABELLED = {"classification": {"input": "text", "output": "label"}}

READERS: dict[str, Reader] = {
    # one's own files, in any schema
    "json": Reader(_json),
    "csv": Reader(_csv),
    "tsv": Reader(_tsv),
    "parquet": Reader(_parquet),
    "any": Reader(_any),
    # instructions and benchmarks
    "alpaca_json": Reader(_any, {"instruction": {}}),
    "seed_tasks_jsonl": Reader(
        task_instances, {"instruction": {}, "evaluation": {"group": "name", "reference": "output"}}
    ),
    "user_oriented": Reader(
        task_instances, {"instruction": {}, "evaluation": {"group": "motivation_app", "reference": "output"}}
    ),
    "t0_jsonl": Reader(
        prompted_tasks,
        {
            "instruction": {"instruction": "prompt", "output": "completion"},
            "classification": {"input": "prompt", "output": "completion"},
        },
    ),
    "alpaca_eval_json": Reader(
        _any, {"evaluation": {"group": "dataset", "baseline_output": "output"}, "instruction": {}}
    ),
    "vicuna80": Reader(_any, {"evaluation": {"id": "question_id", "group": "category", "instruction": "text"}}),
    "mt_bench_questions": Reader(dialogues, {"dialogue": {"id": "question_id"}}),
    # labelled text
    "sst2_tsv": Reader(_tsv, _LABELLED, header=("text", "label")),
    "banking77_csv": Reader(_csv, {"classification": {"input": "text", "output": "category"}}),
    "ag_news_csv": Reader(ag_news, {"classification": {"input": "{title} {description}", "output": "label"}}),
    "cola_tsv": Reader(
        _tsv,
        {"classification": {"input": "sentence", "output": "label"}},
        header=("source", "label", "mark", "sentence"),
    ),
    "goemotions_tsv": Reader(go_emotions, _LABELLED),
    "dilm_synthetic": Reader(distilled_sets, _LABELLED),
    # reasoning
    "gsm8k_jsonl": Reader(
        grade_school_math,
        {"reasoning": {"input": "question"}, "instruction": {"instruction": "question", "output": "answer"}},
    ),
    **{name: Reader(records, {"reasoning": {}, "distillation": {}}) for name, records in REASONING_READERS.items()},
    "llm_outputs": Reader(model_outputs, {"teacher": {}}),
}


def find_reader(name: str) -> Reader:
    """Return the reader called `name`. Raises `UserError` with the nearest name if there is none."""
    if name not in READERS:
        raise UserError(f"reader '{name}': unknown{did_you_mean(name, list(READERS))}; known: {', '.join(READERS)}")
    return READERS[name]


NO_TABLE = (_json, _parquet, asdiv_problems, model_outputs, dialogues, task_instances, prompted_tasks, distilled_sets,
            grade_school_math)  # fmt: skip
"""Readers of formats that are no tables: delimiter and quoting mean nothing there."""


def _records(path: PathLike, name: str, layout: Layout, references: PathLike | None) -> list[Record]:
    reader = find_reader(name)
    if references is not None and reader.records is not dialogues:
        raise UserError(f"reader '{name}': takes no file of reference answers; only mt_bench_questions does")
    if layout.header is not None and reader.records not in (_csv, _tsv) and name != "any":
        raise UserError(f"reader '{name}': takes no 'header'; only csv and tsv files lack column names")
    if reader.records is dialogues:
        return dialogues(path, references)
    if reader.records in NO_TABLE:
        if layout.delimiter is not None or layout.quoting is not None:
            raise UserError(f"reader '{name}': takes neither 'delimiter' nor 'quoting'; its files are no tables")
        return reader.records(path)
    return reader.records(path, layout if layout.header is not None else layout._replace(header=reader.header))


def raw_records(path: PathLike, reader: str, layout: Layout = UNKNOWN) -> list[Record]:
    """Return a raw file's rows with the columns it has, in no schema. Raises `UserError` as `read_raw` does."""
    check_beside(path)
    return _records(path, reader, layout, None)


def read_raw(
    path: PathLike | Sequence[PathLike],
    reader: str,
    schema: str,
    *,
    columns: Mapping[str, str] | None = None,
    labels: Sequence[str] | None = None,
    header: Sequence[str] | None = None,
    task: str = "",
    references: PathLike | None = None,
    delimiter: str | None = None,
    quoting: str | None = None,
    turns: str | None = None,
) -> list[dict[str, Any]]:
    """Read a raw file, or the parts of one in their order, into validated canonical rows.

    reader, schema: keys of READERS and SCHEMAS; columns: field -> column, path or "{a} {b}" template, over the reader's
    own; labels: names of the classes 0, 1, ...; header: column names of a CSV or TSV file without header line; task:
    what classification rows call their task; references: MT-Bench's reference answers; delimiter, quoting: of a table,
    found by looking if None (`scripts.data.rows.Layout`); turns: first or last, which answer of a conversation is read.
    Raises `UserError` naming file, line or row, field and remedy; all faulty rows are counted.
    """
    pairs = read_raw_pairs(
        path,
        reader,
        schema,
        columns=columns,
        labels=labels,
        header=header,
        task=task,
        references=references,
        delimiter=delimiter,
        quoting=quoting,
        turns=turns,
    )
    return [row for _, row in pairs]


def read_raw_pairs(
    path: PathLike | Sequence[PathLike],
    reader: str,
    schema: str,
    *,
    columns: Mapping[str, str] | None = None,
    labels: Sequence[str] | None = None,
    task: str = "",
    references: PathLike | None = None,
    turns: str | None = None,
    **table: Any,
) -> list[tuple[Record, dict[str, Any]]]:
    """Return (record, canonical row) of each row: what `read_raw` returns beside what the file has; same arguments."""
    own = find_reader(reader).columns
    target = find_schema(schema)
    if own and schema not in own:
        raise UserError(f"reader '{reader}': gives schema {' or '.join(own)}, not {schema}; change one of the two")
    check_choice("turns", turns or WAYS[0], WAYS)
    layout = Layout(**table).checked()
    paths = [path] if isinstance(path, (str, os.PathLike)) else list(path)
    path = paths[0]
    for file in (*paths, references):
        if file is not None:
            check_beside(file)
    records = [record for part in paths for record in _records(part, reader, layout, references)]
    faults = Faults(path, len(records))
    ways = {**own.get(schema, {}), **(columns or {})}
    rows = to_rows(records, target, ways, labels, task, turns=turns or WAYS[0], faults=faults)
    checked = validate(rows, schema, path, [record.place for record in records], faults)
    return list(zip(records, checked))
