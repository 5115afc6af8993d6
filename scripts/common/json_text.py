"""Reading JSON that others wrote: each way in which it can be unreadable is one line, never a traceback.

NaN is read as null (so pandas and NumPy write what is missing). A name that an object gives twice is a fault: the
second would silently replace the first.
"""

from __future__ import annotations

import json
import re
from typing import Any

from scripts.common.errors import UserError

_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")
_WORDS = {"NaN": None, "Infinity": float("inf"), "-Infinity": float("-inf")}


class JsonFault(Exception):
    """Why a text is no JSON that can be used, and where: line and column counted from 1, 0 where they are not known."""

    def __init__(self, reason: str, line: int = 0, column: int = 0) -> None:
        super().__init__(reason)
        self.reason, self.line, self.column = reason, line, column

    def told(self) -> str:
        """Return the fault in a few words."""
        return f"{self.reason}, column {self.column}" if self.column else self.reason


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise JsonFault(f"the name '{twice:.40}' stands twice in one object")
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_object_of, parse_constant=_WORDS.__getitem__)


def decode_from(text: str, place: int) -> tuple[Any, int]:
    """Return the JSON value that begins at a place of a text, and the place behind it. Raises `JsonFault`."""
    try:
        value, end = _DECODER.raw_decode(text, place)
    except json.JSONDecodeError as error:
        raise JsonFault(error.msg, error.lineno, error.colno) from None
    except RecursionError:
        raise JsonFault("nested too deeply") from None
    except ValueError:  # Python converts no more than 4300 digits
        raise JsonFault("holds a whole number of thousands of digits; put it in quotes if it is meant") from None
    if _HALF_PAIR.search(text, place, end):
        _check_pairs(value)
    return value, end


def decode(text: str) -> Any:
    """Return the one JSON value that a text holds. Raises `JsonFault`."""
    start = len(text) - len(text.lstrip(" \t\r\n"))
    value, end = decode_from(text, start)
    rest = text[end:].lstrip(" \t\r\n")
    if rest:
        at = len(text) - len(rest)
        line = text.count("\n", 0, at) + 1
        raise JsonFault("Extra data", line, at - text.rfind("\n", 0, at))
    return value


def _check_pairs(value: Any) -> None:
    """Raise `JsonFault` for half of a surrogate pair: UTF-8 cannot store it, so no step could write the row again."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting.extend(one)
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
        elif isinstance(one, str) and any("\ud800" <= letter <= "\udfff" for letter in one):
            raise JsonFault("holds half of a surrogate pair, which UTF-8 cannot store; mend the text")


def decode_named(text: str, name: str) -> Any:
    """Return the JSON value of a text. Raises `UserError` in one line that begins with `name`, a file or a flag."""
    try:
        return decode(text)
    except JsonFault as fault:
        line = f":{fault.line}" if fault.line else ""
        raise UserError(f"{name}{line}: broken JSON ({fault.told()}); mend or remove that line") from None
