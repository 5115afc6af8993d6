"""Settings of a step: one JSON string into a frozen dataclass, unknown or missing keys refused."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Sequence, Type, TypeVar

from scripts.common.errors import UserError, did_you_mean

T = TypeVar("T")


def parse_settings(kind: Type[T], text: str) -> T:
    """Build the dataclass `kind` from a JSON object. Raises `UserError` for unknown or missing keys or broken JSON."""
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"--settings: broken JSON ({error.msg}, column {error.colno})") from None
    if not isinstance(values, dict):
        raise UserError(f"--settings: expected a JSON object, found {type(values).__name__}")
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in values:
        if key not in fields:
            raise UserError(f"--settings: unknown key '{key}'{did_you_mean(key, list(fields))}")
    required = [
        name
        for name, field in fields.items()
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    missing = [name for name in required if name not in values]
    if missing:
        raise UserError(f"--settings: key '{missing[0]}' is missing; expected {', '.join(fields)}")
    return kind(**values)


def check_choice(key: str, value: Any, known: Sequence[str]) -> None:
    """Raise `UserError` unless `value` is one of `known`."""
    if value not in known:
        raise UserError(f"{key}: unknown value '{value}'{did_you_mean(str(value), known)}; use {', '.join(known)}")
