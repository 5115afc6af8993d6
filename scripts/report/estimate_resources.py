"""What a run would ask for: jobs, hours and GPU hours of each rule, from a dry run and what earlier runs measured."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path
from typing import Mapping, Sequence

from scripts.common.durations import in_words
from scripts.common.errors import UserError, run_step
from scripts.common.files import write_csv
from scripts.report.job_graph import read_fields
from scripts.report.run_facts import read_step_times


@dataclass(frozen=True)
class Job:
    """One planned job: its rule, the GPUs it asks for and the minutes it may take (None: the profile's default)."""

    rule: str
    gpus: int
    runtime_min: float | None


def planned_jobs(output: str) -> list[Job]:
    """Return the jobs that a dry run printed, in its order; rules that only gather files are left out.

    A rule that asks for nothing, not even a log, gathers files: `all`, `<paper>_all`.
    """
    jobs: list[Job] = []
    for job in read_fields(output):
        asked = dict(part.split("=", 1) for part in job.get("resources", "").split(", ") if "=" in part)
        runtime = asked.get("runtime", "")
        if "log" in job:
            jobs.append(Job(job["rule"], int(asked.get("gpu", 0)), float(runtime) if _is_number(runtime) else None))
    return jobs


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) is not None


@dataclass(frozen=True)
class Estimate:
    """One rule's share of a run, or the whole. Hours "at most" are what its jobs ask for: none may take longer."""

    rule: str
    jobs: int
    gpus_per_job: int
    hours_at_most: float
    gpu_hours_at_most: float
    hours_as_measured: float | None


COLUMNS = tuple(field.name for field in fields(Estimate))


def summarise(jobs: Sequence[Job], measured_s: Mapping[str, tuple[float, int]], default_min: float) -> list[Estimate]:
    """Return one estimate for each rule, most GPU hours first, and the total.

    measured_s: rule -> (seconds of all jobs that were measured, how many); their mean counts for each planned job.
    default_min: minutes of a job that names no runtime.
    """
    groups: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        groups[job.rule].append(job)
    rows = []
    for rule, members in groups.items():
        hours = [(default_min if job.runtime_min is None else job.runtime_min) / 60 for job in members]
        seconds, count = measured_s.get(rule, (0.0, 0))
        rows.append(
            Estimate(
                rule,
                jobs=len(members),
                gpus_per_job=max(job.gpus for job in members),
                hours_at_most=sum(hours),
                gpu_hours_at_most=sum(hour * job.gpus for hour, job in zip(hours, members)),
                hours_as_measured=seconds / count * len(members) / 3600 if count else None,
            )
        )
    rows.sort(key=lambda row: (-row.gpu_hours_at_most, -row.hours_at_most, row.rule))
    known = [row.hours_as_measured for row in rows if row.hours_as_measured is not None]
    total = Estimate(
        "total",
        jobs=len(jobs),
        gpus_per_job=max((row.gpus_per_job for row in rows), default=0),
        hours_at_most=sum(row.hours_at_most for row in rows),
        gpu_hours_at_most=sum(row.gpu_hours_at_most for row in rows),
        hours_as_measured=sum(known) if known else None,
    )
    return [*rows, total]


def to_lines(rows: Sequence[Estimate]) -> list[str]:
    """Return the estimates as lines of a plain table; a rule that was never measured shows a dash."""

    def show(value: object) -> str:
        if value is None:
            return "-"
        return f"{value:,.1f}" if isinstance(value, float) else str(value)

    cells = [[name.replace("_", " ").replace("gpu", "GPU") for name in COLUMNS]]
    cells += [[show(value) for value in astuple(row)] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(COLUMNS))]
    return [
        "  ".join(cell.rjust(width) if i else cell.ljust(width) for i, (cell, width) in enumerate(zip(row, widths)))
        for row in cells
    ]


def dry_run(config: Path, targets: Sequence[str], options: Sequence[str] = ()) -> str:
    """Return what a dry run with the merged configuration `config` prints. Raises `UserError` with its last line.

    options: further options of Snakemake, e.g. --forceall.
    """
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--dry-run",
        "--cores",
        "1",
        *options,
        "--configfile",
        str(config),
        "--",
        *targets,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stdout + done.stderr).strip().splitlines()[-1:]
        raise UserError(f"dry run of {' '.join(targets)}: {''.join(last)}; run it by hand with `snakemake -n`")
    return done.stdout + done.stderr


def work_left(rules: Sequence[str], benchmarks: Path) -> str:
    """Return in one line how long the jobs of these rules may take, or that nobody knows.

    rules: the rule of each job; benchmarks: folder of what earlier jobs of the tier took. A damaged file there is told,
    not raised: nothing but this line depends on it.
    """
    try:
        measured_s = measured_times(benchmarks)
    except UserError as fault:
        return str(fault)
    known = [rule for rule in rules if rule in measured_s]
    counted = f"{len(rules)} {'job' if len(rules) == 1 else 'jobs'}"
    if not known:
        return f"{counted} that never ran before"
    seconds = sum(measured_s[rule][0] / measured_s[rule][1] for rule in known)
    rest = f"; {len(rules) - len(known)} never ran before" if len(known) < len(rules) else ""
    return f"{counted}, {in_words(seconds)} of work one after the other, going by earlier runs{rest}"


def measured_times(folder: Path) -> dict[str, tuple[float, int]]:
    """Return {rule: (seconds, jobs)} from the benchmark files of earlier runs of the same tier."""
    return {f"{step.paper}_{step.step}": (step.seconds, step.jobs) for step in read_step_times(folder)}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="the run's merged configuration as JSON")
    parser.add_argument("--targets", nargs="+", required=True, help="what would be built")
    parser.add_argument("--benchmarks", type=Path, required=True, help="folder of the tier's benchmark files")
    parser.add_argument("--default-minutes", type=float, required=True, help="minutes of a job that names no runtime")
    parser.add_argument("--estimate-out", type=Path, required=True, help="CSV file, one row for each rule")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Plan, sum up, write and print."""
    args = parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        config.write_text(args.config, encoding="utf-8")
        jobs = planned_jobs(dry_run(config, args.targets))
    rows = summarise(jobs, measured_times(args.benchmarks), args.default_minutes)
    write_csv(args.estimate_out, [asdict(row) for row in rows], COLUMNS)
    for line in to_lines(rows):
        sys.stdout.write(line + "\n")


if __name__ == "__main__":
    run_step(main)
