"""Write down every job that a run from scratch has, with the files it reads and writes, from a dry run."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Sequence

from scripts.common.errors import run_step
from scripts.common.files import write_json
from scripts.report.estimating import dry_run
from scripts.report.job_graph import read_jobs


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, type=Path, help="the run's configuration, JSON")
    parser.add_argument("--targets", required=True, nargs="+", help="what would be built")
    parser.add_argument("--jobs-out", required=True, type=Path, help="JSON list of jobs")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Plan the run and write its jobs."""
    args = parse_args(argv)
    jobs = read_jobs(dry_run(args.config, args.targets, ["--forceall"]))
    write_json(args.jobs_out, [dataclasses.asdict(job) for job in jobs])


if __name__ == "__main__":
    run_step(main)
