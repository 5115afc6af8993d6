"""Facts about a run that are not results: machine, commit, seconds per step."""

from __future__ import annotations

import csv
import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from scripts.common.errors import UserError
from scripts.common.files import read_text

UNKNOWN = "not available"


@dataclass(frozen=True)
class StepTime:
    """What the jobs of one step took: seconds in all and of the longest, largest memory (None where unknown)."""

    paper: str
    step: str
    jobs: int
    seconds: float
    longest_s: float
    peak_mb: float | None


def machine_facts() -> list[tuple[str, str]]:
    """Return (name, value) pairs on the machine that renders the report."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return [
        ("processor", cpu_model()),
        ("cores", f"{usable} usable of {os.cpu_count()}"),
        ("memory", memory_size()),
        ("GPU", gpu_names()),
        ("system", f"{platform.system()} {platform.release()}, {platform.machine()}"),
        ("Python", platform.python_version()),
    ]


def cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor's name."""
    if cpuinfo.is_file():
        match = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(errors="replace"), re.MULTILINE)
        if match:
            return " ".join(match.group(1).split())
    return platform.processor() or UNKNOWN


def memory_size(meminfo: Path = Path("/proc/meminfo")) -> str:
    """Return the machine's memory in GiB."""
    if meminfo.is_file():
        match = re.search(r"^MemTotal:\s*(\d+) kB", meminfo.read_text(), re.MULTILINE)
        if match:
            return f"{int(match.group(1)) / 2**20:.0f} GiB"
    return UNKNOWN


def gpu_names() -> str:
    """Return the names of the GPUs that the driver's tool sees, "none" without one."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return "none"
    asked = [tool, "--query-gpu=name", "--format=csv,noheader"]
    answer = subprocess.run(asked, capture_output=True, text=True, check=False)
    names = [line.strip() for line in answer.stdout.splitlines() if line.strip()] if answer.returncode == 0 else []
    return ", ".join(f"{names.count(name)} x {name}" for name in dict.fromkeys(names)) or "none"


def git_commit(folder: Path) -> str:
    """Return the commit checked out in `folder`, and whether files differ from it; UNKNOWN outside a repository."""
    git = shutil.which("git")
    if git is None:
        return UNKNOWN

    def ask(*words: str) -> str | None:
        answer = subprocess.run([git, "-C", str(folder), *words], capture_output=True, text=True, check=False)
        return answer.stdout.strip() if answer.returncode == 0 else None

    commit, changes = ask("rev-parse", "HEAD"), ask("status", "--porcelain", "--untracked-files=no")
    if not commit:
        return UNKNOWN
    return f"{commit} with local changes" if changes else commit


def read_step_times(folder: Path) -> list[StepTime]:
    """Sum up Snakemake's benchmark files `<folder>/<paper>/<step>[/...].tsv`, longest step first within a paper.

    Raises `UserError` naming a file that is no benchmark file. A folder that does not exist yet gives an empty list.
    """
    jobs: dict[tuple[str, str], list[tuple[float, float | None]]] = {}
    for path in sorted(folder.rglob("*.tsv")):
        parts = path.relative_to(folder).with_suffix("").parts
        key = (parts[0], parts[1]) if len(parts) > 1 else ("", parts[0])
        jobs.setdefault(key, []).extend(read_benchmark(path))
    steps = []
    for (paper, step), times in jobs.items():
        peaks = [peak for _, peak in times if peak is not None]
        seconds = [second for second, _ in times]
        steps.append(StepTime(paper, step, len(times), sum(seconds), max(seconds), max(peaks) if peaks else None))
    return sorted(steps, key=lambda step: (step.paper, -step.seconds, step.step))


@dataclass(frozen=True)
class PaperTime:
    """What the steps of one paper took in all, and the steps themselves."""

    paper: str
    jobs: int
    seconds: float
    longest_s: float
    peak_mb: float | None
    steps: list[StepTime]


def times_by_paper(steps: list[StepTime]) -> list[PaperTime]:
    """Sum up the steps of each paper, the longest first."""
    totals = []
    for paper in dict.fromkeys(step.paper for step in steps):
        own = [step for step in steps if step.paper == paper]
        peaks = [step.peak_mb for step in own if step.peak_mb is not None]
        seconds, longest = sum(step.seconds for step in own), max(step.longest_s for step in own)
        totals.append(PaperTime(paper, sum(step.jobs for step in own), seconds, longest, max(peaks, default=None), own))
    return sorted(totals, key=lambda total: (-total.seconds, total.paper))


def read_benchmark(path: Path) -> list[tuple[float, float | None]]:
    """Return (seconds, peak memory in MB or None if the job was too short to be measured) of each repeat."""
    rows = list(csv.DictReader(read_text(path).splitlines(), delimiter="\t"))
    try:
        jobs = [(float(row["s"]), None if row["max_rss"] in ("-", "NA", "") else float(row["max_rss"])) for row in rows]
    except (KeyError, ValueError, TypeError):
        jobs = []
    if not jobs:
        raise UserError(f"{path}: not a Snakemake benchmark file; delete it and run its step again")
    return jobs
