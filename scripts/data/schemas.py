"""The canonical forms of an example, checked whenever one is written or read.

Every data set, whatever its upstream format, is brought into one of these forms (JSON lines) before anything else looks
at it. Standard library only: the preprocessing environment, which has old packages, uses this module too.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Callable, Mapping, Sequence

from scripts.common.errors import Faults, UserError, did_you_mean
from scripts.common.files import PathLike, numbered_jsonl, write_jsonl


@dataclasses.dataclass(frozen=True)
class Field:
    """One field of a schema: `kind` is text, flag, number or texts (a list of text); `filled` forbids an empty one."""

    kind: str = "text"
    filled: bool = False
    default: Any = None
    """Value a reader puts where the source has no such column; None means that the source must have it."""


@dataclasses.dataclass(frozen=True)
class Schema:
    """A canonical form: its fields in order, the field whose values must differ, and a check across fields."""

    name: str
    fields: Mapping[str, Field]
    unique: str | None = None
    check: Callable[[Mapping[str, Any]], str | None] = lambda row: None


def _check_label(row: Mapping[str, Any]) -> str | None:
    options = row["options"]
    if len(set(options)) != len(options):
        return "field 'options' names one label twice; list each label once"
    if options and row["output"] not in options:
        shown = ", ".join(options[:5]) + (", ..." if len(options) > 5 else "")
        named = f"field 'output' is '{row['output']:.60}', not one of options ({shown})"
        return f"{named}; mend the label or the list of labels"
    return None


def _check_turns(row: Mapping[str, Any]) -> str | None:
    if not all(turn.strip() for turn in row["turns"]):
        return "field 'turns' holds an empty turn; every turn needs a text"
    given, wanted = len(row["references"]), len(row["turns"])
    if given not in (0, wanted):
        return f"field 'references' has {given} entries for {wanted} turns; give one per turn or none"
    return None


SCHEMAS: dict[str, Schema] = {
    schema.name: schema
    for schema in (
        # One example of a task in MetaICL's form; options is empty for free-form tasks.
        Schema(
            "classification",
            {
                "task": Field(filled=True),
                "input": Field(),
                "output": Field(filled=True),
                "options": Field("texts", default=[]),
            },
            check=_check_label,
        ),
        # One instruction with an optional input and its answer.
        Schema(
            "instruction",
            {
                "id": Field(filled=True),
                "instruction": Field(filled=True),
                "input": Field(default=""),
                "output": Field(),
            },
            unique="id",
        ),
        # The score that somebody gave one example, as they released it.
        Schema("scored", {"id": Field(filled=True), "score": Field("number")}, unique="id"),
        # One question with its label and the reasons for it.
        Schema(
            "reasoning",
            {"input": Field(filled=True), "label": Field(filled=True), "rationale": Field(default="")},
        ),
        # One question with its label, a teacher's reasons and label for it, and the possible labels if known.
        Schema(
            "distillation",
            {
                "id": Field(filled=True),
                "input": Field(filled=True),
                "label": Field(),
                "rationale": Field(default=""),
                "llm_label": Field(default=""),
                "options": Field("texts", default=[]),
            },
            unique="id",
        ),
        # One raw answer of a language model.
        Schema("teacher", {"text": Field()}),
        # The user's turns of one conversation (MT-Bench), with a reference answer per turn or none.
        Schema(
            "dialogue",
            {
                "id": Field(filled=True),
                "category": Field(filled=True),
                "turns": Field("texts", filled=True),
                "references": Field("texts", default=[]),
            },
            unique="id",
            check=_check_turns,
        ),
        # One instruction of a benchmark (AlpacaEval): its group, the answer to beat and a reference, empty if none.
        Schema(
            "evaluation",
            {
                "id": Field(filled=True),
                "group": Field(filled=True),
                "instruction": Field(filled=True),
                "input": Field(default=""),
                "baseline_output": Field(default=""),
                "reference": Field(default=""),
            },
            unique="id",
        ),
        # Known quality of one row of a synthetic pool; fault is empty where the row is good.
        Schema(
            "truth",
            {"id": Field(filled=True), "good": Field("flag"), "family": Field(filled=True), "fault": Field(default="")},
            unique="id",
        ),
        # The same, with the earlier row of the pool that asks the same question, empty if there is none.
        Schema(
            "pool_truth",
            {
                "id": Field(filled=True),
                "good": Field("flag"),
                "family": Field(filled=True),
                "fault": Field(default=""),
                "duplicate_of": Field(default=""),
            },
            unique="id",
        ),
        # One text to pre-train on.
        Schema("text", {"text": Field(filled=True)}),
    )
}

_KIND_NAMES = {"text": "text", "flag": "true or false", "number": "a finite number", "texts": "a list of texts"}


def find_schema(name: str) -> Schema:
    """Return the schema called `name`. Raises `UserError` with the nearest name if there is none."""
    if name not in SCHEMAS:
        raise UserError(f"schema '{name}': unknown{did_you_mean(name, list(SCHEMAS))}; known: {', '.join(SCHEMAS)}")
    return SCHEMAS[name]


def _fault_of_value(name: str, field: Field, value: Any) -> str | None:
    if field.kind == "texts":
        fits = isinstance(value, list) and all(isinstance(item, str) for item in value)
    elif field.kind == "number":
        fits = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    else:
        fits = isinstance(value, {"text": str, "flag": bool}[field.kind])
    if not fits:
        found = "nothing (null)" if value is None else f"{type(value).__name__} {value!r:.40}"
        return f"field '{name}' must be {_KIND_NAMES[field.kind]}, found {found}; mend the row or the column mapping"
    if field.filled and not (value.strip() if isinstance(value, str) else value):
        return f"field '{name}' is empty; fill it or remove the row"
    texts = value if isinstance(value, list) else [value] if isinstance(value, str) else []
    if any("\ud800" <= letter <= "\udfff" for text in texts for letter in text):
        return f"field '{name}' holds half of a surrogate pair, which UTF-8 cannot store; mend the text"
    return None


def fault_of_row(row: Mapping[str, Any], schema: Schema) -> str | None:
    """Return what is wrong with one row and how to mend it, or None."""
    for name in schema.fields:
        if name not in row:
            close = did_you_mean(name, [str(key) for key in row])
            return f"field '{name}' is missing{close}; add it, or name its column under 'columns' in the registry"
    for name in row:
        if name not in schema.fields:
            close = did_you_mean(str(name), list(schema.fields))
            return f"field '{name}' is not in schema {schema.name}{close}; expected {', '.join(schema.fields)}"
    for name, field in schema.fields.items():
        fault = _fault_of_value(name, field, row[name])
        if fault:
            return fault
    return schema.check(row)


def validate(
    rows: Sequence[Mapping[str, Any] | None],
    schema: str,
    source: PathLike,
    places: Sequence[str] | None = None,
    faults: Faults | None = None,
) -> list[dict[str, Any]]:
    """Check rows against a canonical schema and return them with their fields in the schema's order.

    rows: examples, None where `faults` has the row already; schema: a key of SCHEMAS; source: the file to name in
    errors; places: where each row stands (`file:line`), by default `source` and the row's number counted from 1.
    Raises `UserError` for an empty sequence, and for all rows that have a missing, unknown, empty or wrongly typed
    field, a repeated id or a label that is not among the options: they are counted, the first few are named.
    """
    known = find_schema(schema)
    if not rows:
        raise UserError(f"{source}: holds no examples; expected at least one row of schema {schema}")
    faults = faults if faults is not None else Faults(source, len(rows))
    checked, seen = [], {}
    for number, row in enumerate(rows):
        if row is None:
            continue
        place = places[number] if places is not None else f"{source}:{number + 1}"
        fault = fault_of_row(row, known)
        if fault:
            faults.add(place, fault, number)
            continue
        if known.unique:
            value = row[known.unique]
            if value in seen:
                same = f"field '{known.unique}' repeats '{value}' of {seen[value]}; give each row its own"
                faults.add(place, same, number)
                continue
            seen[value] = place
        checked.append({name: row[name] for name in known.fields})
    faults.refuse()
    return checked


def read_examples(path: PathLike, schema: str) -> list[dict[str, Any]]:
    """Return the rows of a canonical JSON-lines file, checked. Raises `UserError` naming file, line and field."""
    numbered = numbered_jsonl(path)
    return validate([row for _, row in numbered], schema, path, [f"{path}:{number}" for number, _ in numbered])


def write_examples(path: PathLike, rows: Sequence[Mapping[str, Any]], schema: str) -> int:
    """Check rows, write them as canonical JSON lines, whole or not at all, and return how many there are."""
    checked = validate(rows, schema, path)
    write_jsonl(path, checked)
    return len(checked)
