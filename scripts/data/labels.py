"""What a value of a file means as a label or a text: names, class numbers, booleans, numbers written as 145.0.

A value that is a name is that name. It is a position in the list of names only where none of the names is a number.
"""

from __future__ import annotations

import math
import re
from typing import Any, Sequence

from scripts.common.errors import did_you_mean

TRUE = ("true", "yes")
FALSE = ("false", "no")
SHOWN = 5
_WHOLE = re.compile(r"[+-]?\d+(\.0*)?")


class Position(int):
    """A class number by the format's own definition (AG News, DiLM's sets): never a name."""


class LabelFault(Exception):
    """Why a value is no label, and what to do about it."""


def text_of_number(value: float) -> str:
    """Return a number as text: whole ones without a fraction (145.0 is 145, as pandas writes integers with gaps)."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def plain_text(value: Any) -> Any:
    """Return a boolean or number as text, as JSON would write it; other values stay."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)) and math.isfinite(value):
        return text_of_number(value)
    return value


def label_text(value: Any, labels: Sequence[str]) -> Any:
    """Return the label that a value of a file stands for.

    labels: names of the classes 0, 1, ...; empty where they are not known, then a value is its own name.
    A name stays; a number equal to a name that is a number is that name; any other whole number is a position, where no
    name is a number; true and false are names true and false, or yes and no. What is no text stays for the schema.
    Raises `LabelFault` for a number or boolean that is none of this.
    """
    if isinstance(value, Position):
        return _at(int(value), labels) if labels else str(int(value))
    if not labels:
        return plain_text(value)
    if isinstance(value, str) and value in labels:
        return value
    if isinstance(value, bool) or (isinstance(value, str) and value.strip().lower() in ("true", "false")):
        return _truth(value, labels)
    number = _number(value)
    if number is None:
        return value
    exact = text_of_number(number)
    if exact in labels:
        return exact
    named = {_number(name) for name in labels} - {None}
    if named:
        same = [name for name in labels if _number(name) == number]
        if same:
            return same[0]
        raise LabelFault(f"label {exact} is none of the labels ({shown(labels)}); {_REMEDY}")
    if not float(number).is_integer():
        return exact
    return _at(int(number), labels)


_REMEDY = "mend the row or the list of labels in the registry"


def shown(labels: Sequence[str]) -> str:
    """Return the first few labels for a message."""
    return ", ".join(labels[:SHOWN]) + (", ..." if len(labels) > SHOWN else "")


def _at(place: int, labels: Sequence[str]) -> str:
    if not 0 <= place < len(labels):
        raise LabelFault(f"label number {place}, but 'labels' names {len(labels)} (0 to {len(labels) - 1}); {_REMEDY}")
    return labels[place]


def _truth(value: Any, labels: Sequence[str]) -> str:
    wanted = TRUE if value is True or (isinstance(value, str) and value.strip().lower() == "true") else FALSE
    for name in labels:
        if name.lower() in wanted:
            return name
    raise LabelFault(
        f"label {wanted[0]} is none of the labels ({shown(labels)}); name true and false among them, or write numbers"
    )


def _number(value: Any) -> float | int | None:
    """Return the number that a value is or that a text writes as a whole number; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return value if math.isfinite(value) else None
    if isinstance(value, str) and len(value) <= 20 and _WHOLE.fullmatch(value.strip()) and value.strip().isascii():
        return int(value.strip().partition(".")[0])
    return None


def near_option(value: str, options: Sequence[str]) -> str:
    """Return a hint where an answer differs from an option in case, blanks or the way a number is written only."""
    same = [option for option in options if option.strip().casefold() == value.strip().casefold()]
    if same:
        return f" (it differs from '{same[0]}' in case or blanks only)"
    return did_you_mean(value, options)
