"""Write the mean over all tasks of DDG's main comparison: in context, one round, for each method and language model."""

from __future__ import annotations

import argparse
import dataclasses
import math
from typing import Any, Mapping, Sequence

from scripts.common.errors import run_step
from scripts.common.metrics import metric_row, write_metrics
from scripts.common.settings import parse_settings
from scripts.ddg.measurements import (
    AVERAGE,
    PAPER,
    SCORE,
    SeedValues,
    context_experiment,
    context_setting,
    context_values,
    read_jobs,
)
from scripts.ddg.run_columns import CONTEXT_COLUMNS


@dataclasses.dataclass(frozen=True)
class AverageSettings:
    """tasks: over which the mean is; pairs: (model, method) that were asked in all of them; seeds: of the sets."""

    tasks: Sequence[str]
    pairs: Sequence[Sequence[str]]
    protocol: str
    scorers: Sequence[str]
    round: int
    seeds: Sequence[int]


def mean_over_tasks(columns: Sequence[SeedValues]) -> dict[int, tuple[float, int]]:
    """Return {seed: (mean over the tasks, number of tasks)} of the seeds that every task has."""
    shared = sorted(set.intersection(*map(set, columns)))
    return {seed: (math.fsum(column[seed][0] for column in columns) / len(columns), len(columns)) for seed in shared}


def average_rows(
    settings: AverageSettings, runs: Mapping[tuple[str, str], Sequence[Mapping[str, str]]]
) -> list[dict[str, Any]]:
    """Return the measured values. runs: of evaluate_in_context by (task, model)."""
    rows = []
    experiment, several = context_experiment(settings.protocol), len(settings.seeds) > 1
    for model, method in settings.pairs:
        for scorer in settings.scorers:
            asked = (settings.protocol, scorer, method, settings.round)
            columns = [context_values(runs.get((t, model), ()), *asked, several=several) for t in settings.tasks]
            setting = context_setting(AVERAGE, scorer, settings.round, method)
            for seed, (value, n) in mean_over_tasks(columns).items():
                rows.append(metric_row(PAPER, experiment, setting, model, method, seed, SCORE, value, n))
    return rows


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", required=True, nargs="*", help="TASK/MODEL of each runs file")
    parser.add_argument("--runs", required=True, nargs="*", help="CSV files of evaluate_in_context, in the same order")
    parser.add_argument("--settings", required=True, help="JSON: AverageSettings")
    parser.add_argument("--measured-out", required=True, help="measurement file, CSV")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure all methods and models."""
    args = parse_args(argv)
    settings = parse_settings(AverageSettings, args.settings)
    write_metrics(args.measured_out, average_rows(settings, read_jobs("--jobs", args.jobs, args.runs, CONTEXT_COLUMNS)))


if __name__ == "__main__":
    run_step(main)
