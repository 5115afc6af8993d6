"""Readers of instruction data and benchmarks: Stanford Alpaca, Self-Instruct, AlpacaEval, MT-Bench, Vicuna-80, T0."""

from __future__ import annotations

from typing import Any

from scripts.common.errors import UserError
from scripts.common.files import PathLike
from scripts.data.reader_base import Record, json_records, value_of

END_OF_TEXT = "<|endoftext|>"


def task_instances(path: PathLike) -> list[Record]:
    """Read Self-Instruct's tasks (seed_tasks.jsonl, user_oriented_instructions.jsonl): one record per instance.

    An id is the task's, with the instance's number behind it where a task has several instances.
    """
    records = []
    for record in json_records(path):
        instances = value_of(record, "instances")
        if not isinstance(instances, list) or not all(isinstance(item, dict) for item in instances):
            raise UserError(f"{record.place}: field 'instances' must be a list of objects; mend the row")
        for number, instance in enumerate(instances):
            values = {**record.values, **instance}
            if len(instances) > 1:
                values["id"] = f"{record.values.get('id', '')}_{number}"
            records.append(Record(record.place, values))
    return records


def prompted_tasks(path: PathLike) -> list[Record]:
    """Read T0/P3 examples as prompt and completion, without the end-of-text mark that closes each completion."""
    records = []
    for record in json_records(path):
        completion = value_of(record, "completion")
        if isinstance(completion, str):
            completion = completion.removesuffix(END_OF_TEXT)
        prompt = value_of(record, "prompt")
        prompt = prompt.strip() if isinstance(prompt, str) else prompt
        records.append(Record(record.place, {**record.values, "prompt": prompt, "completion": completion}))
    return records


def _reference_turns(record: Record) -> list[str]:
    choices = value_of(record, "choices")
    try:
        turns = choices[0]["turns"]
    except (KeyError, IndexError, TypeError):
        raise UserError(f"{record.place}: no turns under 'choices'; expected MT-Bench's reference answers") from None
    return turns


def dialogues(path: PathLike, references: PathLike | None = None) -> list[Record]:
    """Read MT-Bench's questions and, where the file is given, the reference answers of some of them by question id."""
    answers: dict[Any, list[str]] = {}
    if references is not None:
        answers = {value_of(record, "question_id"): _reference_turns(record) for record in json_records(references)}
    records = []
    for record in json_records(path):
        known = answers.pop(value_of(record, "question_id"), [])
        records.append(Record(record.place, {**record.values, "references": known}))
    if answers:
        raise UserError(
            f"{references}: holds an answer to question {next(iter(answers))}, which {path} does not ask; "
            "use the two files of one release"
        )
    return records
