"""Write the differences between two methods, paired over seeds (or sets and learners where there is one seed).

Both were trained and asked alike, so that what a seed draws cancels out.
"""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any, Iterator, Mapping, Sequence

from scripts.common.errors import run_step
from scripts.common.metrics import metric_row, write_metrics
from scripts.common.settings import parse_settings
from scripts.ddg.measurements import (
    DIFFERENCE,
    LEARNERS,
    PAPER,
    SeedValues,
    context_experiment,
    context_setting,
    context_values,
    learner_setting,
    learner_values,
    read_jobs,
)
from scripts.ddg.run_columns import CONTEXT_COLUMNS, LEARNER_COLUMNS

Runs = Mapping["tuple[str, str]", Sequence[Mapping[str, str]]]


@dataclasses.dataclass(frozen=True)
class DifferenceSettings:
    """pairs: (first, second) method, the first minus the second; metrics: {task: the learners' metric}.

    learner, sizes: of evaluation A; models, protocol, scorers, round: of evaluation B; seeds: of the sets.
    """

    pairs: Sequence[Sequence[str]]
    metrics: Mapping[str, str]
    learner: str
    sizes: Sequence[int]
    models: Sequence[str]
    protocol: str
    scorers: Sequence[str]
    round: int
    seeds: Sequence[int]


def paired(first: SeedValues, second: SeedValues) -> dict[int, tuple[float, int]]:
    """Return {seed: (difference, values in the first)} of the seeds that both hold."""
    return {seed: (value - second[seed][0], n) for seed, (value, n) in first.items() if seed in second}


def learner_differences(
    settings: DifferenceSettings, pair: Sequence[str], task: str, runs: Runs
) -> Iterator[tuple[str, str, SeedValues]]:
    """Yield (setting, learner, difference) of a pair of methods, a size at a time."""
    own, several = runs.get((task, settings.learner), ()), len(settings.seeds) > 1
    for size in settings.sizes:
        both = [learner_values(own, name, size, settings.metrics[task], several=several) for name in pair]
        yield learner_setting(task, size), settings.learner, paired(*both)


def context_differences(
    settings: DifferenceSettings, pair: Sequence[str], task: str, runs: Runs
) -> Iterator[tuple[str, str, SeedValues]]:
    """Yield (setting, language model, difference) of a pair of methods, a scorer at a time."""
    several = len(settings.seeds) > 1
    for model in settings.models:
        for scorer in settings.scorers:
            asked, own = (settings.protocol, scorer), runs.get((task, model), ())
            both = [context_values(own, *asked, name, settings.round, several=several) for name in pair]
            yield context_setting(task, scorer, settings.round), model, paired(*both)


def difference_rows(settings: DifferenceSettings, learners: Runs, contexts: Runs) -> list[dict[str, Any]]:
    """Return the measured differences. learners, contexts: runs of both evaluations by (task, learner or model)."""
    parts = (
        (LEARNERS, learner_differences, learners),
        (context_experiment(settings.protocol), context_differences, contexts),
    )
    return [
        metric_row(PAPER, experiment, setting, model, "-".join(pair), seed, DIFFERENCE, value, n)
        for pair in settings.pairs
        for task in settings.metrics
        for experiment, differences, runs in parts
        for setting, model, values in differences(settings, pair, task, runs)
        for seed, (value, n) in values.items()
    ]


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--learner-jobs", required=True, nargs="*", help="TASK/MODEL of each runs file")
    parser.add_argument("--learners", required=True, nargs="*", help="CSV files of train_learners, in the same order")
    parser.add_argument("--context-jobs", required=True, nargs="*", help="TASK/MODEL of each runs file")
    parser.add_argument("--contexts", required=True, nargs="*", help="CSV files of evaluate_in_context")
    parser.add_argument("--settings", required=True, help="JSON: DifferenceSettings")
    parser.add_argument("--measured-out", required=True, help="measurement file, CSV")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure all pairs."""
    args = parse_args(argv)
    settings = parse_settings(DifferenceSettings, args.settings)
    learners = read_jobs("--learner-jobs", args.learner_jobs, args.learners, LEARNER_COLUMNS)
    contexts = read_jobs("--context-jobs", args.context_jobs, args.contexts, CONTEXT_COLUMNS)
    write_metrics(args.measured_out, difference_rows(settings, learners, contexts))


if __name__ == "__main__":
    run_step(main)
