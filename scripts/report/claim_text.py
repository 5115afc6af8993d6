"""How a claim's printed and measured differences are written: value, 95 % interval, unit."""

from __future__ import annotations

import math
from typing import Mapping

from scripts.report.claims import unit_of

_LARGE = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"))
_FINE = ("AUC", "nats a token")  # units whose differences are small numbers


def measured_difference(row: Mapping[str, str]) -> str:
    """Return a measured difference with interval and unit, as +19.7 [6.2, 33.2] points. row: of claims.csv, run."""
    unit, factor = unit_of(row["metric"])
    value = factor * float(row["difference"])
    if abs(value) >= 1e5:
        return f"{_large(value)} {unit}"
    if not row["low"]:
        return f"{signed(value, _digits(unit, value))} {unit}"
    low, high = (factor * float(row[end]) for end in ("low", "high"))
    digits = _digits(unit, (high - low) / 2)
    return f"{signed(value, digits)} [{plain(low, digits)}, {plain(high, digits)}] {unit}"


def printed_difference(row: Mapping[str, str]) -> str:
    """Return the difference that the paper prints, with its unit."""
    unit, factor = unit_of(row["metric"])
    return f"{signed(factor * float(row['published']), 1)} {unit}"


def signed(value: float, digits: int) -> str:
    """Return a number with its sign, but for what rounds to zero, which has none."""
    text = f"{value:+.{digits}f}".replace("-", "−")
    return text if any(digit in text for digit in "123456789") else text[1:]


def plain(value: float, digits: int) -> str:
    """Return a number with a sign only where it is negative and does not round to zero."""
    return signed(value, digits).removeprefix("+")


def _digits(unit: str, size: float) -> int:
    """Return the decimals of a unit: one more where the numbers are so small that one decimal hides them."""
    if unit in _FINE:
        return 3
    return 2 if 0 < abs(size) < 0.5 else 1


def _large(value: float) -> str:
    scale, word = next((scale, word) for scale, word in (*_LARGE, (1.0, "")) if abs(value) >= scale)
    scaled = value / scale
    digits = max(0, 2 - math.floor(math.log10(abs(scaled))))
    return f"{scaled:+,.{digits}f} {word}".replace("-", "−").strip()
