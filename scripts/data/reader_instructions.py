"""Readers of instruction data and benchmarks: Stanford Alpaca, Self-Instruct, AlpacaEval, MT-Bench, Vicuna-80, T0."""

from __future__ import annotations

from typing import Any

from scripts.common.errors import RowFault, UserError
from scripts.common.files import PathLike
from scripts.data.reader_base import each, value_of
from scripts.data.rows import Record, read_rows

END_OF_TEXT = "<|endoftext|>"


def task_instances(path: PathLike) -> list[Record]:
    """Read Self-Instruct's tasks (seed_tasks.jsonl, user_oriented_instructions.jsonl): one record per instance.

    An id is the task's, with the instance's number behind it where a task has several instances.
    """
    return [record for group in each(read_rows(path), path, _instances) for record in group]


def _instances(record: Record) -> list[Record]:
    instances = value_of(record, "instances")
    if not isinstance(instances, list) or not all(isinstance(item, dict) for item in instances):
        raise RowFault(record.place, "field 'instances' must be a list of objects; mend the row")
    records = []
    for number, instance in enumerate(instances):
        values = {**record.values, **instance}
        if len(instances) > 1:
            values["id"] = f"{record.values.get('id', '')}_{number}"
        records.append(Record(record.place, values))
    return records


def prompted_tasks(path: PathLike) -> list[Record]:
    """Read T0/P3 examples as prompt and completion, without the end-of-text mark that closes each completion."""
    return each(read_rows(path), path, _prompted)


def _prompted(record: Record) -> Record:
    completion, prompt = value_of(record, "completion"), value_of(record, "prompt")
    if isinstance(completion, str):
        completion = completion.removesuffix(END_OF_TEXT)
    prompt = prompt.strip() if isinstance(prompt, str) else prompt
    return Record(record.place, {**record.values, "prompt": prompt, "completion": completion})


def _reference_turns(record: Record) -> tuple[str, list[str]]:
    choices, question = value_of(record, "choices"), _question_id(record)
    try:
        return question, choices[0]["turns"]
    except (KeyError, IndexError, TypeError):
        raise RowFault(record.place, "no turns under 'choices'; expected MT-Bench's reference answers") from None


def _question_id(record: Record) -> str:
    value = value_of(record, "question_id")
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise RowFault(record.place, f"question_id {value!r:.40} is neither number nor text; mend the row")
    return str(value)


def dialogues(path: PathLike, references: PathLike | None = None) -> list[Record]:
    """Read MT-Bench's questions and, where the file is given, the reference answers of some of them by question id."""
    answers: dict[Any, list[str]] = {}
    if references is not None:
        answers = dict(each(read_rows(references), references, _reference_turns))
    asked = each(read_rows(path), path, lambda record: (_question_id(record), record))
    records = [Record(record.place, {**record.values, "references": answers.pop(id_, [])}) for id_, record in asked]
    if answers:
        raise UserError(
            f"{references}: holds an answer to question {next(iter(answers))}, which {path} does not ask; "
            "use the two files of one release"
        )
    return records
