"""What the figures of the mini world share: measured values with their intervals."""

from __future__ import annotations

import dataclasses
from typing import Any, Mapping

from scripts.common.errors import UserError
from scripts.common.measured import Measured

COLUMNS = ("panel", "series", "x", "y", "low", "high", "n")


@dataclasses.dataclass(frozen=True)
class Point:
    """A measured value with the ends of its 95 % interval, and what it is averaged over."""

    value: float
    low: float
    high: float
    n: int

    def row(self, panel: str, series: str, x: Any) -> dict[str, Any]:
        """Return the point as a row of the figure's CSV."""
        return dict(zip(COLUMNS, (panel, series, x, self.value, self.low, self.high, self.n)))


class Points:
    """The measured values of the mini world, by setting, method and metric."""

    def __init__(self, measured: Measured) -> None:
        self.values: Mapping[tuple[str, str, str], dict[str, Any]] = {
            (row["setting"], row["method"], row["metric"]): row for row in measured.rows
        }

    def point(self, setting: str, method: str, metric: str) -> Point:
        """Return a value with its interval. Raises `UserError` if it was not measured."""
        rows = [self.values.get((setting, method, f"{metric}{end}")) for end in ("", "_low", "_high")]
        if None in rows:
            raise UserError(
                f"--measured: no {metric} of {setting}, {method}; rerun the rule mini_world_evaluate_causal"
            )
        value, low, high = (float(row["value"]) for row in rows)  # type: ignore[index]
        return Point(value, low, high, int(rows[0]["n"]))  # type: ignore[index]

    def number(self, setting: str, metric: str) -> float:
        """Return a value that has no interval. Raises `UserError` if it is not there."""
        for (where, _, name), row in self.values.items():
            if (where, name) == (setting, metric):
                return float(row["value"])
        raise UserError(f"--measured: no {metric} of {setting}; rerun the rule mini_world_evaluate_causal")

    def demonstrations(self, setting: str) -> list[int]:
        """Return the numbers of demonstrations for which accuracy in context was measured, ascending."""
        found = (
            method[len("demos_") :]
            for where, method, metric in self.values
            if (where, metric) == (setting, "in_context_accuracy")
        )
        return sorted(map(int, found))

    def parts(self, prefix: str, metric: str) -> list[str]:
        """Return the names after `prefix` of the settings in which a metric was measured, sorted."""
        settings = {where for where, _, name in self.values if name == metric and where.startswith(prefix)}
        return sorted(where[len(prefix) :] for where in settings)
