"""The spread of a quantity over seeds: mean, sample standard deviation and Student's 95 % interval.

Written without SciPy, so that plotting and reporting steps start fast and need nothing but NumPy's dependants.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, Iterable, Mapping, Sequence

from scripts.common.errors import UserError


@dataclass(frozen=True)
class Spread:
    """Summary of `n` repeated measurements; `std` (divisor n - 1) and `half_width` are None for a single one."""

    mean: float
    std: float | None
    n: int
    half_width: float | None

    @property
    def low(self) -> float:
        """Lower end of the 95 % interval, the mean itself for a single measurement."""
        return self.mean - (self.half_width or 0.0)

    @property
    def high(self) -> float:
        """Upper end of the 95 % interval, the mean itself for a single measurement."""
        return self.mean + (self.half_width or 0.0)


def spread(values: Iterable[float]) -> Spread:
    """Summarise repeated measurements (one per seed). Raises ValueError if there is none or one is not finite."""
    numbers = [float(value) for value in values]
    if not numbers:
        raise ValueError("no values to summarise")
    if not all(math.isfinite(number) for number in numbers):
        raise ValueError(f"values are not all finite: {numbers}")
    n = len(numbers)
    mean = math.fsum(numbers) / n
    if n == 1:
        return Spread(mean=mean, std=None, n=1, half_width=None)
    std = math.sqrt(math.fsum((number - mean) ** 2 for number in numbers) / (n - 1))
    return Spread(mean=mean, std=std, n=n, half_width=t_critical(n - 1) * std / math.sqrt(n))


@functools.cache
def t_critical(degrees: int, level: float = 0.95) -> float:
    """Return the t for which a Student variable with `degrees` degrees of freedom lies in [-t, t] with chance `level`.

    Found by bisection of the finite series for whole degrees of freedom (Abramowitz and Stegun, 26.7.3 and 26.7.4).
    """
    if degrees < 1 or not 0 < level < 1:
        raise ValueError(f"need degrees >= 1 and 0 < level < 1, got {degrees} and {level}")
    low, high = 0.0, math.pi / 2
    for _ in range(80):  # the angle is halved to the last bit of a float
        middle = (low + high) / 2
        if _central_chance(middle, degrees) < level:
            low = middle
        else:
            high = middle
    return math.tan((low + high) / 2) * math.sqrt(degrees)


def t_chance(t: float, degrees: int) -> float:
    """Return the chance that a Student variable with `degrees` degrees of freedom lies in [-t, t]."""
    if degrees < 1 or t < 0:
        raise ValueError(f"need degrees >= 1 and t >= 0, got {degrees} and {t}")
    return min(1.0, _central_chance(math.atan(t / math.sqrt(degrees)), degrees))


def _central_chance(angle: float, degrees: int) -> float:
    """Return P(|T| <= t) for t = tan(angle) * sqrt(degrees)."""
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = degrees % 2
    total, term = 0.0, (cosine if odd else 1.0)
    for index in range(1 if odd else 0, degrees - 1, 2):
        total += term
        term *= cosine**2 * (index + 1) / (index + 2)
    return 2 / math.pi * (angle + sine * total) if odd else sine * total


def spreads_by(rows: Iterable[Mapping[str, Any]], keys: Sequence[str]) -> dict[tuple[str, ...], Spread]:
    """Group rows of the long metrics schema by the columns `keys` and summarise each group's values over its seeds.

    Returns {values of `keys`: Spread} in the order of first appearance. Raises `UserError` if a group holds a seed
    twice: then `keys` does not tell two measurements apart.
    """
    groups: dict[tuple[str, ...], dict[str, float]] = {}
    for row in rows:
        group = groups.setdefault(tuple(str(row[key]) for key in keys), {})
        seed = str(row["seed"])
        if seed in group:
            key_text = ", ".join(f"{key}={row[key]}" for key in keys)
            raise UserError(f"metrics: two values for {key_text}, seed {seed}; remove one or group by more columns")
        group[seed] = float(row["value"])
    return {key: spread(values.values()) for key, values in groups.items()}
