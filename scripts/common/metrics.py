"""The one long schema in which every measured and every published value is kept."""

from __future__ import annotations

import math
from typing import Any, Iterable, Mapping

from scripts.common.errors import UserError
from scripts.common.files import PathLike, read_csv, write_csv

METRIC_COLUMNS = ("paper", "artifact", "setting", "model", "method", "seed", "metric", "value", "n")
PUBLISHED_COLUMNS = ("paper", "artifact", "setting", "model", "method", "metric", "value", "std", "source", "origin")
ORIGINS = ("paper", "measured")
"""Whence a published value: printed by the paper or its authors, or measured by us on files that they released."""


def metric_row(
    paper: str, artifact: str, setting: str, model: str, method: str, seed: int | str, metric: str, value: float, n: int
) -> dict[str, Any]:
    """Return one measured value in the long schema; `n` counts what the value was averaged over. NaN is refused."""
    if not math.isfinite(value):
        raise UserError(f"{paper}/{artifact}/{setting}/{method}: metric '{metric}' is {value}; the run diverged")
    return dict(zip(METRIC_COLUMNS, (paper, artifact, setting, model, method, seed, metric, f"{value:.9g}", n)))


def write_metrics(path: PathLike, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write measured values sorted by their key columns, so that equal values mean equal bytes."""
    write_csv(path, sorted(rows, key=lambda row: tuple(str(row[c]) for c in METRIC_COLUMNS[:7])), METRIC_COLUMNS)


def read_metrics(path: PathLike) -> list[dict[str, str]]:
    """Return measured values as written by `write_metrics`."""
    return read_csv(path, METRIC_COLUMNS)


def is_finite_number(text: str) -> bool:
    """Tell whether a CSV cell holds a finite number."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
