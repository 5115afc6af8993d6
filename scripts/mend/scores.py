"""Scores of the evaluating step by method and condition, and their means over the tasks of a setting."""

from __future__ import annotations

import dataclasses
import math
from typing import Iterable, Mapping, Sequence

from scripts.common.files import PathLike, read_csv
from scripts.mend.columns import SCORE_COLUMNS
from scripts.mend.experiments import Condition


@dataclasses.dataclass(frozen=True)
class ScoreSettings:
    """model: registry name of the language model; settings: the test tasks of each setting; n_demonstrations: how many
    are usual.
    """

    model: str
    settings: Mapping[str, Sequence[str]]
    n_demonstrations: int


Rows = Sequence[Mapping[str, str]]
Key = tuple[str, Condition, str]
"""Method, condition and metric."""


def read_scores(path: PathLike, usual: int) -> dict[Key, list[dict[str, str]]]:
    """Return the rows of a scoring job by method, condition and metric. usual: number of demonstrations, if so many."""
    found: dict[Key, list[dict[str, str]]] = {}
    for row in read_csv(path, SCORE_COLUMNS):
        number = int(row["n_demonstrations"])
        condition = Condition(row["perturbation"], None if number in (0, usual) else number, row["format"])
        found.setdefault((row["method"], condition, row["metric"]), []).append(row)
    return found


def by_seed(values: Iterable[tuple[Mapping[str, str], float]], tasks: Sequence[str]) -> dict[int, list[float]]:
    """Return, per seed, the values of the tasks; seeds that lack a task are left out.

    values: pairs of a row, which says seed and task, and its value.
    """
    found: dict[int, dict[str, float]] = {}
    for row, value in values:
        if row["task"] in tasks:
            found.setdefault(int(row["seed"]), {})[row["task"]] = value
    return {seed: list(own.values()) for seed, own in sorted(found.items()) if len(own) == len(tasks)}


def mean_percent(rows: Rows, tasks: Sequence[str]) -> dict[int, float]:
    """Return, per seed, the mean score over the tasks in percent."""
    values = by_seed(((row, float(row["value"])) for row in rows), tasks)
    return {seed: 100 * math.fsum(scores) / len(scores) for seed, scores in values.items()}


def mean_ratio(rows: Rows, tasks: Sequence[str]) -> dict[int, float]:
    """Return, per seed, the mean distillation ratio over the tasks: demonstration tokens over vectors.

    Rows of methods that distil no demonstrations are left out.
    """
    ratios = (
        (row, int(row["prefix_tokens"]) / int(row["n_vectors"]))
        for row in rows
        if int(row["n_vectors"]) and int(row["prefix_tokens"])
    )
    return {seed: math.fsum(own) / len(own) for seed, own in by_seed(ratios, tasks).items()}


def pooled_accuracy(rows: Rows, tasks: Sequence[str]) -> dict[int, tuple[float, int]]:
    """Return, per seed, the share of right answers over the queries of all tasks, and how many queries these are."""
    found: dict[int, list[Mapping[str, str]]] = {}
    for row in rows:
        if row["task"] in tasks:
            found.setdefault(int(row["seed"]), []).append(row)
    pooled = {}
    for seed, own in sorted(found.items()):
        n = sum(int(row["n"]) for row in own)
        pooled[seed] = math.fsum(float(row["value"]) * int(row["n"]) for row in own) / n, n
    return pooled
