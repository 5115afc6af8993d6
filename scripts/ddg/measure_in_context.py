"""Write the accuracies of one job of evaluation B, in percent, by round and scorer (`scripts.ddg.measurements`)."""

from __future__ import annotations

import argparse
from typing import Any, Mapping, Sequence

from scripts.common.errors import run_step
from scripts.common.files import read_csv
from scripts.common.metrics import metric_row, write_metrics
from scripts.ddg.measurements import PAPER, SCORE, context_experiment, context_setting, context_values
from scripts.ddg.run_columns import CONTEXT_COLUMNS

KEY = ("protocol", "scorer", "method", "round")


def context_rows(runs: Sequence[Mapping[str, str]], task: str, model: str, *, several: bool) -> list[dict[str, Any]]:
    """Return the measured values of all methods and rounds among the runs. several: whether there are seeds."""
    rows = []
    for protocol, scorer, method, number in dict.fromkeys(tuple(run[column] for column in KEY) for run in runs):
        values = context_values(runs, protocol, scorer, method, int(number), several=several)
        name, setting = context_experiment(protocol), context_setting(task, scorer, int(number))
        rows += [metric_row(PAPER, name, setting, model, method, seed, SCORE, *one) for seed, one in values.items()]
    return rows


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", required=True, help="CSV of evaluate_in_context")
    parser.add_argument("--task", required=True, help="its name")
    parser.add_argument("--model", required=True, help="name of the model that was asked")
    parser.add_argument("--seeds", required=True, nargs="+", type=int, help="seeds of the sets")
    parser.add_argument("--measured-out", required=True, help="measurement file, CSV")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure one job."""
    args = parse_args(argv)
    runs = read_csv(args.runs, CONTEXT_COLUMNS)
    write_metrics(args.measured_out, context_rows(runs, args.task, args.model, several=len(args.seeds) > 1))


if __name__ == "__main__":
    run_step(main)
