"""How long jobs take: planned by a dry run, measured by earlier runs, counted by their operations, or guessed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.durations import in_words
from scripts.common.errors import UserError
from scripts.report.job_graph import read_fields
from scripts.report.job_work import Costs, counted_seconds, n_devices
from scripts.report.run_facts import read_step_times


@dataclass(frozen=True)
class Job:
    """One planned job: its rule, the GPUs that it asks for, and its command ("" where the dry run printed none)."""

    rule: str
    gpus: int
    command: str = ""


def planned_jobs(output: str) -> list[Job]:
    """Return the jobs that a dry run printed, in its order; rules that only gather files are left out.

    A rule that asks for nothing, not even a log, gathers files: `all`, `<paper>_all`.
    """
    jobs: list[Job] = []
    for job in read_fields(output):
        if "log" in job:
            jobs.append(job_of(job))
    return jobs


def job_of(fields: Mapping[str, str]) -> Job:
    """Return a job from what a dry run printed of it. A command that starts several processes takes a GPU for each."""
    asked = dict(part.split("=", 1) for part in fields.get("resources", "").split(", ") if "=" in part)
    command, gpus = fields.get("command", ""), int(asked.get("gpu", 0))
    return Job(fields["rule"], max(gpus, n_devices(command)) if gpus else 0, command)


MEASURED, COUNTED, GUESSED = "measured", "counted", "guessed"
"""Whence the seconds of a job: benchmarks of its rule in this tier; its operations, counted, at a guessed speed; a
guess for its rule."""


@dataclass(frozen=True)
class Seconds:
    """How long one job takes with the GPUs that it asks for, and without any."""

    with_gpu: float
    without_gpu: float
    basis: str


@dataclass(frozen=True)
class Estimator:
    """What is known of the times of jobs: means of earlier jobs by rule, costs of other rules, sizes of models.

    measured_s: rule -> (seconds of all jobs that were measured, how many). What was measured on a GPU counts for a run
    without one only through the operations; what was measured without one is what both have.
    """

    measured_s: Mapping[str, tuple[float, int]]
    costs: Costs
    sizes: Mapping[str, float]

    def seconds(self, job: Job) -> Seconds:
        """Return the seconds of one job."""
        other = self.costs.other_gpu_seconds if job.gpus else self.costs.other_seconds
        guess = float(self.costs.seconds.get(job.rule, other))
        cpu = counted_seconds(job.rule, job.command, self.costs, self.sizes, "cpu")
        if job.rule in self.measured_s:
            total, count = self.measured_s[job.rule]
            mean = total / count
            return Seconds(mean, cpu if job.gpus and cpu is not None else mean, MEASURED)
        if cpu is None:
            return Seconds(guess, guess, GUESSED)
        gpu = counted_seconds(job.rule, job.command, self.costs, self.sizes, "gpu") if job.gpus else None
        return Seconds(cpu if gpu is None else gpu, cpu, COUNTED)


@dataclass(frozen=True)
class Estimate:
    """One rule's share of a run, or the whole. basis: how the hours of its jobs were found, several joined by +."""

    rule: str
    jobs: int
    gpus_per_job: int
    hours: float
    gpu_hours: float
    hours_without_gpu: float
    basis: str


COLUMNS = tuple(field.name for field in fields(Estimate))


def estimate(name: str, jobs: Sequence[Job], estimator: Estimator) -> Estimate:
    """Return the hours of some jobs, one after the other; GPU hours count each GPU of a job."""
    found = [(job, estimator.seconds(job)) for job in jobs]
    bases = {seconds.basis for _, seconds in found}
    return Estimate(
        name,
        jobs=len(jobs),
        gpus_per_job=max((job.gpus for job in jobs), default=0),
        hours=sum(seconds.with_gpu for _, seconds in found) / 3600,
        gpu_hours=sum(seconds.with_gpu * job.gpus for job, seconds in found) / 3600,
        hours_without_gpu=sum(seconds.without_gpu for _, seconds in found) / 3600,
        basis="+".join(basis for basis in (MEASURED, COUNTED, GUESSED) if basis in bases),
    )


def summarise(jobs: Sequence[Job], estimator: Estimator) -> list[Estimate]:
    """Return one estimate for each rule, most GPU hours first, and the total."""
    groups: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        groups[job.rule].append(job)
    rows = [estimate(rule, members, estimator) for rule, members in groups.items()]
    rows.sort(key=lambda row: (-row.gpu_hours, -row.hours, row.rule))
    return [*rows, estimate("total", jobs, estimator)]


def to_lines(rows: Sequence[Any], columns: Sequence[str]) -> list[str]:
    """Return rows as lines of a plain table: texts to the left, numbers to the right, hours with one digit."""

    def show(value: object) -> str:
        return f"{value:,.1f}" if isinstance(value, float) else str(value)

    cells = [[name.replace("_", " ").replace("gpu", "GPU") for name in columns]]
    cells += [[show(getattr(row, name)) for name in columns] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    left = {i for i, name in enumerate(columns) if rows and isinstance(getattr(rows[0], name), str)}
    return [
        "  ".join(
            cell.ljust(width) if i in left else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in cells
    ]


MANY_GPUS = 10_000
"""More than any job asks for: the default profile's gpu=1 would cut what the jobs of several GPUs ask for."""


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
        "--printshellcmds",
        "--resources",
        f"gpu={MANY_GPUS}",
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


def work_left(jobs: Sequence[Job], benchmarks: Path, costs: Costs, sizes: Mapping[str, float], gpu: bool) -> str:
    """Return in one line how long jobs may take, one after the other, and how many of them are guessed.

    benchmarks: folder of what earlier jobs of the tier took; costs, sizes: as in `Estimator`; gpu: there is one. A
    damaged benchmark file is told, not raised: nothing but this line depends on it.
    """
    try:
        estimator = Estimator(measured_times(benchmarks), costs, sizes)
    except UserError as fault:
        return str(fault)
    found = [estimator.seconds(job) for job in jobs]
    seconds = sum(one.with_gpu if gpu else one.without_gpu for one in found)
    counts = {basis: sum(one.basis == basis for one in found) for basis in (MEASURED, COUNTED, GUESSED)}
    told = {
        MEASURED: "going by earlier runs",
        COUNTED: "by its operations at a guessed speed",
        GUESSED: "guessed",
    }
    parts = [f"{count} {told[basis]}" for basis, count in counts.items() if count]
    if len(parts) == 1:
        parts = [told[basis] for basis, count in counts.items() if count]
    counted = f"{len(jobs)} {'job' if len(jobs) == 1 else 'jobs'}"
    return f"{counted}, {in_words(seconds)} of work one after the other: {', '.join(parts)}"


def measured_times(folder: Path) -> dict[str, tuple[float, int]]:
    """Return {rule: (seconds, jobs)} from the benchmark files of earlier runs of the same tier."""
    return {f"{step.paper}_{step.step}": (step.seconds, step.jobs) for step in read_step_times(folder)}


def plan(config: str, targets: Sequence[str], options: Sequence[str] = ()) -> str:
    """Return what a dry run prints. config: the merged configuration as JSON; options: of `dry_run`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.json"
        path.write_text(config, encoding="utf-8")
        return dry_run(path, targets, options)
