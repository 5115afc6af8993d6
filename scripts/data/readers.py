"""Readers by name: from the formats in which data sets are published to the canonical schemas.

`read_raw` is the one entry. Every reader accepts UTF-8 text, unpacked or as .gz, and names file, line and remedy where
a file is not what it should be.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Callable, Mapping, Sequence

from scripts.common.checksums import check_beside
from scripts.common.errors import UserError, did_you_mean
from scripts.common.files import PathLike
from scripts.data.reader_base import Record, json_records, parquet_records, table_records, to_rows
from scripts.data.reader_instructions import dialogues, prompted_tasks, task_instances
from scripts.data.reader_labelled import ag_news, distilled_sets, go_emotions, grade_school_math
from scripts.data.reader_reasoning import REASONING_READERS, model_outputs
from scripts.data.schemas import find_schema, validate


@dataclasses.dataclass(frozen=True)
class Reader:
    """How to read one upstream format: its records, and the columns that fill each schema it can fill."""

    records: Callable[..., list[Record]]
    columns: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    """Schema -> field -> column; the first schema is the format's own. Empty: any schema, columns by their names."""
    header: tuple[str, ...] | None = None
    """Column names of a table without header line; None where the file, or the registry, names them."""


def _csv(path: PathLike, header: Sequence[str] | None) -> list[Record]:
    return table_records(path, delimiter=",", quoted=True, header=header)


def _tsv(path: PathLike, header: Sequence[str] | None) -> list[Record]:
    return table_records(path, delimiter="\t", quoted=False, header=header)


_LABELLED = {"classification": {"input": "text", "output": "label"}}

READERS: dict[str, Reader] = {
    # one's own files, in any schema
    "json": Reader(json_records),
    "csv": Reader(_csv),
    "tsv": Reader(_tsv),
    "parquet": Reader(parquet_records),
    # instructions and benchmarks
    "alpaca_json": Reader(json_records, {"instruction": {}}),
    "seed_tasks_jsonl": Reader(
        task_instances, {"instruction": {}, "evaluation": {"group": "name", "reference": "output"}}
    ),
    "user_oriented": Reader(
        task_instances, {"instruction": {}, "evaluation": {"group": "motivation_app", "reference": "output"}}
    ),
    "t0_jsonl": Reader(prompted_tasks, {"instruction": {"instruction": "prompt", "output": "completion"}}),
    "alpaca_eval_json": Reader(
        json_records, {"evaluation": {"group": "dataset", "baseline_output": "output"}, "instruction": {}}
    ),
    "vicuna80": Reader(json_records, {"evaluation": {"id": "question_id", "group": "category", "instruction": "text"}}),
    "mt_bench_questions": Reader(dialogues, {"dialogue": {"id": "question_id"}}),
    # labelled text
    "sst2_tsv": Reader(_tsv, _LABELLED, header=("text", "label")),
    "banking77_csv": Reader(_csv, {"classification": {"input": "text", "output": "category"}}),
    "ag_news_csv": Reader(ag_news, {"classification": {"input": "{title}\n{description}", "output": "label"}}),
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


def _records(path: PathLike, name: str, header: Sequence[str] | None, references: PathLike | None) -> list[Record]:
    reader = find_reader(name)
    if references is not None and reader.records is not dialogues:
        raise UserError(f"reader '{name}': takes no file of reference answers; only mt_bench_questions does")
    if header is not None and reader.records not in (_csv, _tsv):
        raise UserError(f"reader '{name}': takes no 'header'; only csv and tsv files lack column names")
    if reader.records is dialogues:
        return dialogues(path, references)
    if reader.records in (_csv, _tsv):
        return reader.records(path, header if header is not None else reader.header)
    return reader.records(path)


def raw_records(path: PathLike, reader: str) -> list[Record]:
    """Return a raw file's rows with the columns it has, in no schema. Raises `UserError` as `read_raw` does."""
    check_beside(path)
    return _records(path, reader, None, None)


def read_raw(
    path: PathLike,
    reader: str,
    schema: str,
    *,
    columns: Mapping[str, str] | None = None,
    labels: Sequence[str] | None = None,
    header: Sequence[str] | None = None,
    task: str = "",
    references: PathLike | None = None,
) -> list[dict[str, Any]]:
    """Read a raw file into validated canonical rows.

    reader, schema: keys of READERS and SCHEMAS; columns: field -> column or "{a} {b}" template, over the reader's own;
    labels: names of the classes 0, 1, ...; header: column names of a CSV or TSV file without header line; task: what
    classification rows call their task; references: MT-Bench's reference answers.
    Raises `UserError` naming file, line or row, field and remedy.
    """
    own = find_reader(reader).columns
    target = find_schema(schema)
    if own and schema not in own:
        raise UserError(f"reader '{reader}': gives schema {' or '.join(own)}, not {schema}; change one of the two")
    for file in (path, references):
        if file is not None:
            check_beside(file)
    records = _records(path, reader, header, references)
    rows = to_rows(records, target, {**own.get(schema, {}), **(columns or {})}, labels, task)
    return validate(rows, schema, path, [record.place for record in records])
