"""How many rows a share of a pool is, and what a size is called: one rule for every paper."""

from __future__ import annotations

import math

from scripts.common.errors import UserError

SLACK = 1e-9  # else 0.29 of 100 is 28.999999999999996 in floating point, and 29 rows


def whole_part(n: int, share: float) -> int:
    """Return the whole rows in a share of `n`: parts of a row, halves too, are dropped."""
    return math.floor(share * n + SLACK)


def subset_size(n_pool: int, fraction: float, flag: str = "--fractions") -> int:
    """Return the whole rows in a share of a pool: parts of a row, halves too, are dropped; at least 1 row stays.

    As DELIFT's released code (`int(0.3 * n)`); NUGGETS chooses by thresholds and has no rule. Raises `UserError` unless
    0 < fraction <= 1; `flag` names it.
    # DEVIATION: the released code takes no row where the share is less than one, and loses one to rounding (28 of 29).
    """
    if not 0 < fraction <= 1:
        raise UserError(f"{flag} {fraction:g}: outside (0, 1]; a size of 0 or above the pool chooses nothing")
    return max(1, whole_part(n_pool, fraction))


def percent_of(n_rows: int, n_pool: int) -> float:
    """Return the share of a pool that `subset_size` turns into just `n_rows`, in percent with at most 4 decimals.

    A whole number is an int. Right for pools of up to a million rows: the percent is rounded up, the rows down.
    """
    percent = math.ceil(1e6 * n_rows / n_pool - SLACK) / 1e4
    return int(percent) if percent.is_integer() else percent


def percent_name(percent: float) -> str:
    """Return what a size in percent is called in paths and settings: percent_30, percent_2_5."""
    return f"percent_{percent:g}".replace(".", "_")


def named_percent(name: str) -> float:
    """Return the size that `percent_name` calls so; a whole number is an int."""
    number = name.removeprefix("percent_")
    return float(number.replace("_", ".")) if "_" in number else int(number)
