"""One's own rows: read in whatever form, said in one line, split, and written back in the form they came in."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.errors import Faults, UserError, did_you_mean
from scripts.common.seeding import generator
from scripts.data.chat import ChatFault, read_turns, turns_of
from scripts.data.layout import UNKNOWN
from scripts.data.original_rows import ending_of, write_form
from scripts.data.reader_base import column_names, to_rows
from scripts.data.readers import raw_records
from scripts.data.rows import Record
from scripts.data.schemas import find_schema, validate

LOG = logging.getLogger(__name__)

PAIRS = (
    ("instruction", "output"),
    ("instruction", "response"),
    ("question", "answer"),
    ("prompt", "completion"),
    ("prompt", "response"),
    ("prompt", "answer"),
    ("query", "response"),
    ("query", "answer"),
    ("input", "output"),
    ("input", "target"),
    ("text", "label"),
)
"""Columns of question and answer that are found by looking, the first pair that the rows have."""
FIELDS = ("instruction", "input", "output")
IN_FLAGS = (
    ("name the right one under 'columns' in the registry", "name the right ones by --columns QUESTION,ANSWER"),
    ("; name the reader parquet (or any)", ""),
)
"""Words of the readers about keys that nobody has seen here -> the flag of this command."""
CONVERSATIONS = {"messages": "messages", "conversations": "ShareGPT", "conversation": "conversations"}


@dataclasses.dataclass(frozen=True)
class OwnRows:
    """The rows of one file that have a question and an answer.

    path: the file. records: as the file has them; rows: the same as instruction, input, output, with the number of the
    row in the file as id. form: what they are called; n_read: rows of the file; n_left_out: those without an answer.
    """

    path: Path
    records: Sequence[Record]
    rows: Sequence[Mapping[str, Any]]
    form: str
    n_read: int
    n_left_out: int

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def said(self) -> str:
        """Return in one line what was read."""
        left = f", {self.n_left_out:,} without an answer left out" if self.n_left_out else ""
        return f"read {self.n_read:,} rows of {self.path} as {self.form}{left}"

    def part(self, places: Sequence[int]) -> OwnRows:
        """Return some of the rows, by their places here."""
        return dataclasses.replace(self, records=[self.records[i] for i in places], rows=[self.rows[i] for i in places])

    def place_of(self) -> dict[str, int]:
        """Return {id: place here}."""
        return {row["id"]: place for place, row in enumerate(self.rows)}


def parse_columns(text: str | None) -> dict[str, str]:
    """Return {field: column} of --columns: QUESTION,ANSWER, or instruction=A,input=B,output=C."""
    if text is None:
        return {}
    parts = [part.strip() for part in text.split(",")]
    if all("=" in part for part in parts):
        found = dict(part.split("=", 1) for part in parts)
        wrong = next((name for name in found if name not in FIELDS), None)
        if wrong is not None:
            raise UserError(
                f"--columns: '{wrong}' is no field{did_you_mean(wrong, FIELDS)}; use instruction, input, output"
            )
        return found
    if len(parts) not in (2, 3) or not all(parts) or any("=" in part for part in parts):
        raise UserError(f"--columns: '{text}' does not say which is which; write QUESTION,ANSWER")
    return dict(zip(("instruction", "output") if len(parts) == 2 else FIELDS, parts))


def read_own(path: Path, flag: str, columns: Mapping[str, str], turns: str = "first") -> OwnRows:
    """Return the rows of a file, those without an answer left out and counted.

    flag: what named the file, for messages. turns: which answer of a conversation counts, first or last.
    Raises `UserError` naming that flag or --columns.
    """
    if not path.exists():
        raise UserError(f"{flag}: {path}: no such file; check the path")
    if path.is_dir():
        raise UserError(f"{flag}: {path} is a folder; name one file of rows")
    try:
        records = raw_records(path, "any", UNKNOWN)
        if not records:
            raise UserError(f"{path}: holds no rows; give a file with questions and answers")
        found, form = _columns_of(records[0], columns)
        used = [place for place, record in enumerate(records) if not _unanswered(record, found)]
        if not used:
            raise UserError(f"{path}: none of {len(records)} rows has an answer; name its column by --columns")
        kept = [Record(records[place].place, {**records[place].values, "id": str(place)}) for place in used]
        faults = Faults(path, len(kept))
        rows = to_rows(kept, find_schema("instruction"), found, turns=turns, faults=faults)
        checked = validate(rows, "instruction", path, [record.place for record in kept], faults)
    except UserError as fault:
        told = in_flags(str(fault))
        raise UserError(told if told.startswith("--") else f"{flag}: {told}") from None
    return OwnRows(path, [records[place] for place in used], checked, form, len(records), len(records) - len(used))


def in_flags(message: str) -> str:
    """Return a reader's message with the flags of this command in place of keys of the registry."""
    for theirs, ours in IN_FLAGS:
        message = message.replace(theirs, ours)
    return message


def is_chat(record: Record, columns: Mapping[str, str]) -> bool:
    """Tell whether a row is a conversation, not columns of question and answer."""
    return not columns and "instruction" not in record.values and turns_of(record.values) is not None


def _columns_of(first: Record, columns: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Return where question and answer stand and what that form is called, going by the first row."""
    names = list(first.values)
    for name in columns.values():
        for one in column_names(name):
            if one not in names and one.partition(".")[0] not in names:
                raise UserError(
                    f"--columns: {first.place} has no column '{one}'{did_you_mean(one, names)};"
                    f" it has {', '.join(map(str, names)):.200}"
                )
    if columns:
        if "output" not in columns or "instruction" not in columns:
            raise UserError("--columns: name both question and answer, as in --columns question,answer")
        return dict(columns), "columns " + " and ".join(columns.values())
    if is_chat(first, columns):
        kind = next((kind for name, kind in CONVERSATIONS.items() if name in names), "prompt and completion (TRL)")
        return {}, kind
    for question, answer in PAIRS:
        if question in names and answer in names:
            if (question, answer) == ("instruction", "output"):
                return {}, "Alpaca"
            return {"instruction": question, "output": answer}, f"columns {question} and {answer}"
    raise UserError(
        f"--columns: question and answer are not found among {', '.join(map(str, names)):.200}; name their columns,"
        " as in --columns QUESTION,ANSWER"
    )


def _unanswered(record: Record, columns: Mapping[str, str]) -> bool:
    """Tell whether a row has no answer: an empty cell, or a conversation in which nobody answers the user."""
    if is_chat(record, columns):
        try:
            turns = read_turns(turns_of(record.values) or (), record.values.get("system"))
        except ChatFault:
            return False  # another fault, which the reader names
        asked = next((i for i, turn in enumerate(turns) if turn.role == "user" and turn.text.strip()), None)
        return asked is not None and not any(t.role == "assistant" and t.text.strip() for t in turns[asked:])
    column = columns.get("output", "output")
    value = record.values.get(column, "?")
    return value is None or (isinstance(value, str) and not value.strip())


def hold_out(pool: OwnRows, share: float, most: int, seed: int, flag: str = "--test") -> tuple[OwnRows, OwnRows]:
    """Return (what stays, what is held out): a share of the rows, at least one and at most `most`, drawn at random.

    Rows that ask the same question are held out together or not at all, else the test would ask what was trained on.
    flag: what could be given instead, for the message.
    """
    groups: dict[tuple[str, str], list[int]] = {}
    for place, row in enumerate(pool.rows):
        groups.setdefault((row["instruction"].strip(), row["input"].strip()), []).append(place)
    wanted = max(1, min(most, int(share * len(pool))))
    out: list[int] = []
    order = list(groups.values())
    for number in generator(seed, "own data", "held-out rows").permutation(len(order)):
        if len(out) >= wanted or len(groups) == 1:
            break
        if len(out) + len(order[number]) <= wanted:
            out += order[number]
    taken = set(out)
    if not out or len(taken) == len(pool):
        raise UserError(f"{flag}: the pool is too small or too uniform to draw rows from it; give a file of them")
    return pool.part([i for i in range(len(pool)) if i not in taken]), pool.part(sorted(out))


def write_chosen(folder: Path, name: str, pool: OwnRows, places: Sequence[int]) -> Path:
    """Write rows in the form of the pool's file, in the order given; return the file."""
    path = folder / f"{name}{ending_of(pool.path)}"
    write_form(path, [pool.records[place] for place in places], [pool.path], UNKNOWN)
    return path
