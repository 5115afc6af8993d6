"""The one long schema in which every measured and every published value is kept.

A measured row says what was measured, never where it is shown: `experiment` and `setting` name the measurement, `n`
what its value was averaged over. A row without a value says in `reason` why there is none; its empty setting, model,
method and metric stand for all of them.

A published row has the same key without the seed. `artifact` is where the paper prints it; `origin` is `paper` for what
the paper or its authors printed, `measured` for what this project measured on files that the authors released.
"""

from __future__ import annotations

import math
from typing import Any, Iterable, Mapping, Sequence

from scripts.common.errors import UserError
from scripts.common.files import PathLike, read_csv, write_csv

METRIC_COLUMNS = ("paper", "experiment", "setting", "model", "method", "seed", "metric", "value", "n", "reason")
KEY_COLUMNS = METRIC_COLUMNS[:7]
PUBLISHED_KEY = ("paper", "experiment", "setting", "model", "method", "metric")
PUBLISHED_COLUMNS = ("paper", "artifact", *PUBLISHED_KEY[1:], "value", "std", "origin", "source")
ORIGINS = ("paper", "measured")
ALL_SEEDS = "all"
"""Seed of a value that no seed changes, or that is made of the values of all seeds."""
COMPARISON_COLUMNS = (
    *PUBLISHED_COLUMNS[:7],
    "published",
    "ours_mean",
    "ours_std",
    "n_seeds",
    "difference",
    "status",
    "note",
    "origin",
    "source",
)
"""Of the table that holds our values beside the published ones."""


def metric_row(
    paper: str,
    experiment: str,
    setting: str,
    model: str,
    method: str,
    seed: int | str,
    metric: str,
    value: float,
    n: int,
) -> dict[str, Any]:
    """Return one measured value in the long schema; `n` counts what the value was averaged over. NaN is refused."""
    if not math.isfinite(value):
        raise UserError(f"{paper}/{experiment}/{setting}/{method}: metric '{metric}' is {value}; the run diverged")
    cells = (paper, experiment, setting, model, method, seed, metric, f"{value:.9g}", n, "")
    return dict(zip(METRIC_COLUMNS, cells))


def reason_row(
    paper: str, experiment: str, reason: str, *, setting: str = "", model: str = "", method: str = "", metric: str = ""
) -> dict[str, Any]:
    """Return the row that says why values are missing; what is left empty stands for all settings, models and so on."""
    return dict(zip(METRIC_COLUMNS, (paper, experiment, setting, model, method, "", metric, "", "", reason)))


def write_metrics(path: PathLike, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write measured values and reasons, each reason once, sorted by key, so that equal values mean equal bytes."""
    kept, reasons = [], set()
    for row in rows:
        key = (*(str(row[column]) for column in KEY_COLUMNS), row["reason"])
        if row["reason"] and key in reasons:
            continue
        reasons.add(key)
        kept.append((key, row))
    write_csv(path, [row for _, row in sorted(kept, key=lambda pair: pair[0])], METRIC_COLUMNS)


def read_metrics(path: PathLike) -> list[dict[str, str]]:
    """Return measured values and reasons as written by `write_metrics`."""
    return read_csv(path, METRIC_COLUMNS)


def merge(files: Sequence[tuple[str, Sequence[dict[str, str]]]]) -> list[dict[str, str]]:
    """Return the rows of all files as one list.

    files: (name, rows) pairs; rows that only say why a value is missing are kept. Two jobs may measure what neither
    changes (a model's size): equal values are one. Raises `UserError` naming file and line of a value that is not a
    finite number, of a count that is not a whole number, and of a value that was measured otherwise before.
    """
    first_seen: dict[tuple[str, ...], tuple[str, dict[str, str]]] = {}
    merged = []
    for name, rows in files:
        for line, row in enumerate(rows, start=2):
            where = f"{name}:{line}"
            if row["reason"] and not row["value"]:
                merged.append(row)
                continue
            if row["reason"]:
                raise UserError(f"{where}: has a value and a reason why there is none; run its step again")
            if not is_finite_number(row["value"]):
                raise UserError(f"{where}: value is '{row['value']}', not a finite number; run its step again")
            if not row["n"].isdecimal():
                raise UserError(f"{where}: n is '{row['n']}', not a whole number; run its step again")
            key = tuple(row[column] for column in KEY_COLUMNS)
            if key not in first_seen:
                first_seen[key] = (where, row)
                merged.append(row)
                continue
            before, other = first_seen[key]
            if (row["value"], row["n"]) != (other["value"], other["n"]):
                raise UserError(
                    f"{where}: {'/'.join(key)} was measured before, in {before}, as {other['value']} and not"
                    f" {row['value']}; remove one of the two"
                )
    return merged


def read_merged(paths: Iterable[PathLike]) -> list[dict[str, str]]:
    """Return the rows of several files as `merge` does."""
    return merge([(str(path), read_metrics(path)) for path in paths])


def with_value(rows: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    """Return the rows that hold a value, those that only give a reason left out."""
    return [row for row in rows if not row["reason"]]


def is_finite_number(text: str) -> bool:
    """Tell whether a CSV cell holds a finite number."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
