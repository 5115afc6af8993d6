"""Which jobs a file takes, from a dry run's lines, and how long they took, from their benchmark files."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Iterable, Mapping, Sequence

from scripts.common.files import PathLike, read_json
from scripts.report.run_facts import read_benchmark

_START = re.compile(r"(?:local)?(?:rule|checkpoint) (\w+):")
_COMMAND = "Shell command: "
_FIELD = re.compile(r"    (input|output|log|benchmark|resources): (.+)")


@dataclasses.dataclass(frozen=True)
class PlannedJob:
    """One job of a dry run: the files it reads and writes, and its benchmark file ("" if it is not timed)."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    benchmark: str


def read_fields(output: str) -> list[dict[str, str]]:
    """Return what a dry run printed of each job: `rule`, and of the fields that it has their text, as it stands.

    `command` is there with Snakemake's --printshellcmds: a command may have several lines, the last of which ends the
    redirection to its log.
    """
    jobs: list[dict[str, str]] = []
    inside = False
    for line in output.splitlines():
        start, field = _START.fullmatch(line), _FIELD.fullmatch(line)
        if inside and not start:
            jobs[-1]["command"] += f"\n{line}"
            inside = not line.rstrip().endswith("2>&1")
        elif line.startswith(_COMMAND) and jobs:
            jobs[-1]["command"] = line.removeprefix(_COMMAND)
            inside = not line.rstrip().endswith("2>&1")
        elif start:
            inside = False
            jobs.append({"rule": start[1]})
        elif field and jobs:
            jobs[-1][field[1]] = field[2]
    return jobs


def read_jobs(output: str) -> list[PlannedJob]:
    """Return the jobs that a dry run printed."""
    return [planned_job(job) for job in read_fields(output)]


def planned_job(fields: Mapping[str, str]) -> PlannedJob:
    """Return a job from what a dry run printed of it."""
    return PlannedJob(_files(fields.get("input", "")), _files(fields.get("output", "")), fields.get("benchmark", ""))


def load_jobs(path: PathLike) -> list[PlannedJob]:
    """Return the jobs that `plan_jobs` wrote."""
    return [PlannedJob(tuple(job["inputs"]), tuple(job["outputs"]), job["benchmark"]) for job in read_json(path)]


def _files(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.split(", ") if part)


def jobs_behind(files: Iterable[str], jobs: Sequence[PlannedJob]) -> list[PlannedJob]:
    """Return every job that must run before all of `files` are there, theirs included, each once."""
    makers: Mapping[str, PlannedJob] = {file: job for job in jobs for file in job.outputs}
    found: dict[PlannedJob, None] = {}
    waiting = list(files)
    while waiting:
        job = makers.get(waiting.pop())
        if job is not None and job not in found:
            found[job] = None
            waiting.extend(job.inputs)
    return list(found)


def untimed_behind(files: Iterable[str], jobs: Sequence[PlannedJob]) -> int:
    """Return how many of the jobs behind `files` are timed but have left no benchmark file."""
    return sum(1 for job in jobs_behind(files, jobs) if job.benchmark and not Path(job.benchmark).is_file())


def seconds_behind(files: Iterable[str], jobs: Sequence[PlannedJob]) -> float:
    """Return the seconds that the jobs behind `files` took, added up; a job without a benchmark file counts nothing."""
    timed = [Path(job.benchmark) for job in jobs_behind(files, jobs) if job.benchmark]
    return sum(seconds for path in timed if path.is_file() for seconds, _ in read_benchmark(path))


def minutes_behind(files: Sequence[str], jobs: Sequence[PlannedJob]) -> str:
    """Return the minutes of all jobs behind `files`, "≥" before them if the time of some was not recorded."""
    return f"{'≥ ' if untimed_behind(files, jobs) else ''}{seconds_behind(files, jobs) / 60:.1f}"
