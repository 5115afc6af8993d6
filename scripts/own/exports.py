"""Chosen rows as trainers take them: LLaMA-Factory, axolotl, TRL."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping

from scripts.common.errors import UserError
from scripts.common.files import read_json, write_json, write_jsonl, write_text
from scripts.data.chat import read_turns, turns_of
from scripts.data.rows import Record
from scripts.lm.prompts import joined_instruction
from scripts.own.rows import OwnRows

SPEAKERS = {"system": "system", "user": "human", "assistant": "gpt", "tool": "observation"}
"""Whose turn it is -> what LLaMA-Factory's ShareGPT rows call it."""


def export_rows(kind: str, folder: Path, name: str, rows: OwnRows) -> Path:
    """Write rows for a trainer into a folder; return the file that it is to be given.

    Conversations stay whole, with all their turns. kind: one of `scripts.own.flags.EXPORTS`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    talks = [messages(record, row) for record, row in zip(rows.records, rows.rows)]
    if kind == "llama-factory":
        return _llama_factory(folder, name, rows, talks)
    path = folder / f"{name}.jsonl"
    write_jsonl(path, ({"messages": talk} for talk in talks))
    if kind == "axolotl":
        write_text(
            folder / f"{name}.yaml",
            "# Put these lines into axolotl's own file.\n"
            f"datasets:\n  - path: {name}.jsonl\n    ds_type: json\n"
            "    type: chat_template\n    field_messages: messages\n",
        )
        return folder / f"{name}.yaml"
    return path


def messages(record: Record, row: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return a row as turns of user and assistant: its own where it is a conversation."""
    said = turns_of(record.values)
    if said is not None and "instruction" not in record.values:
        turns = read_turns(said, record.values.get("system"))
        return [{"role": turn.role, "content": turn.text} for turn in turns]
    return [
        {"role": "user", "content": joined_instruction(row)},
        {"role": "assistant", "content": row["output"]},
    ]


def _llama_factory(folder: Path, name: str, rows: OwnRows, talks: list[list[dict[str, str]]]) -> Path:
    """Write rows and their entry of dataset_info.json; entries of other rows there stay."""
    file = f"{name}.jsonl"
    if any(len(talk) != 2 or talk[0]["role"] != "user" for talk in talks):
        listed = [[{"from": SPEAKERS[one["role"]], "value": one["content"]} for one in talk] for talk in talks]
        write_jsonl(folder / file, ({"conversations": one} for one in listed))
        entry = {"file_name": file, "formatting": "sharegpt", "columns": {"messages": "conversations"}}
    else:
        write_jsonl(folder / file, ({key: row[key] for key in ("instruction", "input", "output")} for row in rows.rows))
        columns = {"prompt": "instruction", "query": "input", "response": "output"}
        entry = {"file_name": file, "columns": columns}
    info = folder / "dataset_info.json"
    known = read_json(info) if info.is_file() else {}
    if not isinstance(known, dict):
        raise UserError(f"--export: {info} is no JSON object; move it away")
    write_json(info, {**known, name: entry})
    return info
