"""Measurement files: what a job measured, once, in long rows that say what was measured and not where it is shown.

A row without a value carries the reason why it is missing; an empty setting, model, method or metric of such a row
means all of them. An artifact reads the measurement files that its paper's plan names (`Needs`) through `Measured`.
"""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any, Iterable, Mapping, Sequence

from scripts.common.artifacts import sentence
from scripts.common.errors import UserError
from scripts.common.files import PathLike, read_csv, write_csv
from scripts.common.metrics import METRIC_COLUMNS, PUBLISHED_COLUMNS, is_finite_number, metric_row
from scripts.common.spread import Spread, spreads_by
from scripts.common.tables import Missing

KEY_COLUMNS = ("paper", "experiment", "setting", "model", "method", "seed", "metric")
MEASURED_COLUMNS = (*KEY_COLUMNS, "value", "n", "reason")
KEY_OF_PUBLISHED = PUBLISHED_COLUMNS[1]
"""The column of the published values that says what was measured."""
NOT_MEASURED = "Not measured in this run."
ALL_SEEDS = "all"
"""Seed of a value that no seed changes, or that is made of the values of all seeds."""


@dataclasses.dataclass(frozen=True)
class Needs:
    """What one artifact reads: its measurement files, and by flag its other files; paths as Snakemake patterns."""

    measured: tuple[str, ...]
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)


def measured_row(
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
    """Return one measured value; `n` counts what it was averaged over. Raises `UserError` for NaN."""
    row = metric_row(paper, experiment, setting, model, method, seed, metric, value, n)
    values = (row[name] for name in METRIC_COLUMNS)
    return {**dict(zip(MEASURED_COLUMNS, values)), "reason": ""}


def missing_row(
    paper: str, experiment: str, reason: str, setting: str = "", model: str = "", method: str = "", metric: str = ""
) -> dict[str, Any]:
    """Return the row of a value that could not be measured; what is left empty stands for all of them."""
    values = (paper, experiment, setting, model, method, "", metric, "", 0, reason)
    return dict(zip(MEASURED_COLUMNS, values))


def write_measured(path: PathLike, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows sorted by key, so that equal values mean equal bytes; a row given twice is written once."""
    ordered = {tuple(str(row[name]) for name in MEASURED_COLUMNS): row for row in rows}
    write_csv(path, [ordered[key] for key in sorted(ordered)], MEASURED_COLUMNS)


def read_measured(paths: Sequence[PathLike]) -> list[dict[str, str]]:
    """Return the rows of measurement files, each key once.

    Two jobs may measure what neither changes (a model's size), equally. Raises `UserError` naming file and line of a
    value that is no finite number, and of a key whose second value differs from the first.
    """
    found: dict[tuple[str, ...], tuple[str, dict[str, str]]] = {}
    for path in paths:
        for line, row in enumerate(read_csv(path, MEASURED_COLUMNS), start=2):
            where = f"{path}:{line}"
            if not row["reason"] and not is_finite_number(row["value"]):
                raise UserError(f"{where}: value is '{row['value']}', not a finite number; run its step again")
            key = (*(row[name] for name in KEY_COLUMNS), row["reason"])
            first, other = found.setdefault(key, (where, row))
            if (other["value"], other["n"]) != (row["value"], row["n"]):
                told = "/".join(key[:-1])
                raise UserError(f"{where}: {told} is {row['value']}, but {other['value']} in {first}; remove one")
    return [row for _, row in found.values()]


def as_metrics(rows: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    """Return the rows that have a value, in the columns of metrics.csv."""
    names = MEASURED_COLUMNS[: len(METRIC_COLUMNS)]
    return [dict(zip(METRIC_COLUMNS, (row[name] for name in names))) for row in rows if not row["reason"]]


class Measured:
    """The measured and published values that one artifact shows, and why some are missing."""

    def __init__(
        self, paths: Sequence[PathLike], published: PathLike, seeds: Sequence[int | str] | None = None
    ) -> None:
        """Read the files. seeds: those that the artifact shows, by default all; what no seed changes always counts."""
        wanted = None if seeds is None else {ALL_SEEDS, *map(str, seeds)}
        rows = read_measured(paths)
        self.reasons = [row for row in rows if row["reason"]]
        self.rows = [row for row in rows if not row["reason"] and (wanted is None or row["seed"] in wanted)]
        self.published = read_csv(published, PUBLISHED_COLUMNS)
        self._spreads = spreads_by(self.rows, ("experiment", "setting", "model", "method", "metric"))

    def cell(
        self,
        setting: str,
        method: str,
        metric: str,
        *,
        model: str | None = None,
        experiment: str | None = None,
        otherwise: str = NOT_MEASURED,
    ) -> Spread | Missing:
        """Return a measured value with its spread, or the reason why there is none.

        Raises ValueError if several experiments or models have such a value and the call does not name one.
        """
        asked = {"experiment": experiment, "setting": setting, "model": model, "method": method, "metric": metric}
        given = {name: value for name, value in asked.items() if value is not None}
        found = [
            spread
            for key, spread in self._spreads.items()
            if all(dict(zip(asked, key))[name] == value for name, value in given.items())
        ]
        if len(found) > 1:
            raise ValueError(f"{setting}/{method}/{metric}: {len(found)} values; name experiment and model")
        if found:
            return found[0]
        for row in self.reasons:
            if all(row[name] in ("", value) for name, value in given.items()):
                return Missing(sentence(row["reason"]))
        return Missing(otherwise)

    def number(self, setting: str, method: str, metric: str, **more: Any) -> float | Missing:
        """Return a value that does not vary over seeds, or their mean; arguments as in `cell`."""
        value = self.cell(setting, method, metric, **more)
        return value if isinstance(value, Missing) else value.mean

    def published_rows(
        self, experiment: str, metric: str | None = None, methods: Sequence[str] | None = None
    ) -> list[dict[str, str]]:
        """Return the published values of one experiment, in the file's order, of one metric and of some methods."""
        return [
            row
            for row in self.published
            if row[KEY_OF_PUBLISHED] == experiment
            and (metric is None or row["metric"] == metric)
            and (methods is None or row["method"] in methods)
        ]

    def published_value(
        self, experiment: str, setting: str, method: str, metric: str, model: str | None = None
    ) -> float | None:
        """Return a published value, None if there is none. Raises ValueError if it is of several models."""
        rows = [
            row
            for row in self.published_rows(experiment, metric, [method])
            if row["setting"] == setting and model in (None, row["model"])
        ]
        if len(rows) > 1:
            raise ValueError(f"{experiment}/{setting}/{method}/{metric}: {len(rows)} published values; name the model")
        return float(rows[0]["value"]) if rows else None


def add_measured_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a step that shows measured values: files, published values, settings, tier."""
    parser.add_argument("--measured", nargs="*", required=True, help="measurement files, CSV")
    parser.add_argument("--published", required=True, help="CSV of the paper's values")
    parser.add_argument("--settings", required=True, help="JSON: what the artifact shows")
    parser.add_argument("--tier", required=True)
