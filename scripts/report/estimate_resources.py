"""What a run would ask for: jobs, hours and GPU hours of each rule, from a dry run and what earlier runs measured.

What never ran is counted by its operations or guessed (config/costs.yaml), and marked so.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Sequence

from scripts.common.errors import run_step
from scripts.common.files import write_csv
from scripts.common.settings import parse_json
from scripts.report.estimating import COLUMNS, Estimator, measured_times, plan, planned_jobs, summarise, to_lines
from scripts.report.job_work import read_costs


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="the run's merged configuration as JSON")
    parser.add_argument("--targets", nargs="+", required=True, help="what would be built")
    parser.add_argument("--benchmarks", type=Path, required=True, help="folder of the tier's benchmark files")
    parser.add_argument("--costs", type=Path, required=True, help="YAML: config/costs.yaml")
    parser.add_argument("--sizes", required=True, help="JSON: parameters of each registered model")
    parser.add_argument("--estimate-out", type=Path, required=True, help="CSV file, one row for each rule")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Plan, sum up, write and print."""
    args = parse_args(argv)
    jobs = planned_jobs(plan(args.config, args.targets))
    sizes = parse_json("--sizes", args.sizes, dict)
    rows = summarise(jobs, Estimator(measured_times(args.benchmarks), read_costs(args.costs), sizes))
    write_csv(args.estimate_out, [asdict(row) for row in rows], COLUMNS)
    for line in to_lines(rows, COLUMNS):
        sys.stdout.write(line + "\n")


if __name__ == "__main__":
    run_step(main)
