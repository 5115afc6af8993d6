"""Write the scores of the learners of one training job, in percent (`scripts.ddg.measurements`)."""

from __future__ import annotations

import argparse
from typing import Any, Mapping, Sequence

from scripts.common.errors import run_step
from scripts.common.files import read_csv
from scripts.common.metrics import metric_row, write_metrics
from scripts.ddg.measurements import LEARNERS, PAPER, SCORE, learner_setting, learner_values
from scripts.ddg.run_columns import LEARNER_COLUMNS


def learner_rows(
    runs: Sequence[Mapping[str, str]], task: str, learner: str, metric: str, *, several: bool
) -> list[dict[str, Any]]:
    """Return the measured values of all methods and sizes among the runs. several: whether there are seeds."""
    rows = []
    for method, size in dict.fromkeys((run["method"], run["dpc"]) for run in runs):
        for seed, (value, n) in learner_values(runs, method, size, metric, several=several).items():
            setting = learner_setting(task, size)
            rows.append(metric_row(PAPER, LEARNERS, setting, learner, method, seed, SCORE, value, n))
    return rows


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", required=True, help="CSV of train_learners")
    parser.add_argument("--task", required=True, help="its name")
    parser.add_argument("--learner", required=True, help="name of what was trained")
    parser.add_argument("--metric", required=True, help="which of the runs' metrics is the task's")
    parser.add_argument("--seeds", required=True, nargs="+", type=int, help="seeds of the sets")
    parser.add_argument("--measured-out", required=True, help="measurement file, CSV")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure one job."""
    args = parse_args(argv)
    runs = read_csv(args.runs, LEARNER_COLUMNS)
    rows = learner_rows(runs, args.task, args.learner, args.metric, several=len(args.seeds) > 1)
    write_metrics(args.measured_out, rows)


if __name__ == "__main__":
    run_step(main)
