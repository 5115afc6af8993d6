"""What stands in a step's flags: JSON, settings as a frozen dataclass, NAME=VALUE pairs; faults name the flag."""

from __future__ import annotations

import dataclasses
from typing import Any, Mapping, Sequence, Type, TypeVar

from scripts.common.errors import UserError, did_you_mean
from scripts.common.json_text import JsonFault, decode

T = TypeVar("T")

JSON_KINDS = {dict: "object", list: "list"}


def parse_json(flag: str, text: str, kind: Type[T]) -> T:
    """Return what the JSON `text` of a flag holds. Raises `UserError` for broken JSON or anything but a `kind`.

    kind: dict or list.
    """
    try:
        value = decode(text)
    except JsonFault as fault:
        raise UserError(f"{flag}: broken JSON ({fault.told()})") from None
    if not isinstance(value, kind):
        raise UserError(f"{flag}: expected a JSON {JSON_KINDS[kind]}, found {type(value).__name__}")
    return value


def parse_settings(kind: Type[T], text: str, flag: str = "--settings") -> T:
    """Build the dataclass `kind` from a flag's JSON object. Raises `UserError` as `parse_json` and `settings_of`."""
    return settings_of(kind, parse_json(flag, text, dict), flag)


def settings_of(kind: Type[T], values: Any, name: str) -> T:
    """Build the dataclass `kind` from a mapping. Raises `UserError` for unknown or missing keys or no mapping.

    name: what the messages call it, a flag or a key.
    """
    if not isinstance(values, Mapping):
        raise UserError(f"{name}: expected keys and values, found {type(values).__name__}")
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in values:
        if key not in fields:
            raise UserError(f"{name}: unknown key '{key}'{did_you_mean(key, list(fields))}")
    required = [
        key
        for key, field in fields.items()
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    missing = [key for key in required if key not in values]
    if missing:
        raise UserError(f"{name}: key '{missing[0]}' is missing; expected {', '.join(fields)}")
    return kind(**values)


def named_values(flag: str, given: Sequence[str], form: str = "NAME=VALUE") -> dict[str, str]:
    """Return NAME=VALUE arguments as a mapping. Raises `UserError` for another form and for a repeated name.

    form: how the message writes what is expected.
    """
    found: dict[str, str] = {}
    for text in given:
        name, mark, value = text.partition("=")
        if not mark or not name or not value or name in found:
            raise UserError(f"{flag} {text}: expected {form}, each name once")
        found[name] = value
    return found


def check_choice(key: str, value: Any, known: Sequence[str]) -> None:
    """Raise `UserError` unless `value` is one of `known`."""
    if value not in known:
        raise UserError(f"{key}: unknown value '{value}'{did_you_mean(str(value), known)}; use {', '.join(known)}")
