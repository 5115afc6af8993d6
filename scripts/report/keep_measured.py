"""Keep in docs/<tier> what a run's tables and figures are made from, so that what took hours is computed once; or take
it back into the results of another checkout.

Kept is what the jobs of tables and figures read (`jobs.json` names it): files of measured values, scores, selections.
With `from_kept: true` a run makes its tables, figures and report from these alone. Beside them stand the seconds of
every job behind them, with processor and day.
"""

from __future__ import annotations

import argparse
import logging
import shutil
from datetime import datetime, timezone
from pathlib import Path
from typing import Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import PathLike, read_csv, write_csv
from scripts.report.job_graph import PlannedJob, jobs_behind, load_jobs
from scripts.report.kept_times import TIME_COLUMNS
from scripts.report.run_facts import cpu_model, read_benchmark

SHOWN = ("tables", "figures")
"""Folders of a run's results whose files are shown."""
LARGEST = 2**20
"""Bytes of the largest file that is kept: what is shown is small, a model is not."""


def drawing_jobs(results: Path, jobs: Sequence[PlannedJob]) -> dict[str, PlannedJob]:
    """Return the jobs that make tables and figures, by their names: ddg_table_1."""
    shown = tuple(f"{results}/{folder}/" for folder in SHOWN)
    return {Path(made).stem: job for job in jobs for made in job.outputs if made.startswith(shown)}


def job_times(results: Path, jobs: Sequence[PlannedJob]) -> list[dict[str, str]]:
    """Return the times of all jobs that were run for what is there of tables and figures (`TIME_COLUMNS`), by name.

    The processor is that of this machine: keep what was measured before the results move to another one.
    """
    timed: dict[str, list[str]] = {}
    for name, drawing in drawing_jobs(results, jobs).items():
        shown = tuple(f"{results}/{folder}/" for folder in SHOWN)
        read = [path for path in drawing.inputs if Path(path).exists() or path.startswith(shown)]
        for job in jobs_behind(read, jobs):
            if job.benchmark and Path(job.benchmark).is_file():
                timed.setdefault(job.benchmark, []).append(name)
    rows = []
    for benchmark, names in sorted(timed.items()):
        path = Path(benchmark)
        seconds = sum(taken for taken, _ in read_benchmark(path))
        day = datetime.fromtimestamp(path.stat().st_mtime, timezone.utc).date().isoformat()
        job_name = path.with_suffix("").as_posix().removeprefix(f"{results}/")
        values = (job_name, " ".join(sorted(names)), f"{seconds:.0f}", cpu_model(), day)
        rows.append(dict(zip(TIME_COLUMNS, values)))
    return rows


def merged(old: Sequence[dict[str, str]], new: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Return times by job name, the new ones in place of the old: another checkout may have run other jobs."""
    return [row for _, row in sorted({row["job"]: row for row in (*old, *new)}.items())]


def shown_files(results: Path, jobs: PathLike) -> list[Path]:
    """Return the files that a run's tables and figures are made from and that are there, relative to its results.

    A folder stands for all files in it. Left out is what lies directly in the results (it is collected from the rest),
    and what is larger than `LARGEST`, such as models; the log counts these.
    """
    shown = tuple(f"{results}/{folder}/" for folder in SHOWN)
    drawing = drawing_jobs(results, load_jobs(jobs)).values()
    found = sorted({Path(path) for job in drawing for path in job.inputs if not path.startswith(shown)})
    own = [path for path in found if results in path.parents and path.parent != results]
    inside = [file for path in own for file in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    files = [file for file in inside if file.is_file() and not file.name.startswith(".")]
    small = [file for file in files if file.stat().st_size <= LARGEST]
    if len(small) < len(files):
        logging.info("not kept, as larger than %s bytes: %d", f"{LARGEST:,}", len(files) - len(small))
    return [file.relative_to(results) for file in small]


def copy(files: Sequence[Path], source: Path, target: Path) -> int:
    """Copy files, relative to both folders, that the target lacks or has otherwise; return how many."""
    copied = 0
    for name in files:
        old, new = source / name, target / name
        if new.is_file() and new.read_bytes() == old.read_bytes():
            continue
        new.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(old, new)
        copied += 1
    return copied


def main(argv: Sequence[str] | None = None) -> None:
    """Copy in one of both directions, and say how many files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", required=True, type=Path, help="results of the tier")
    parser.add_argument("--kept", required=True, type=Path, help="folder in docs/, with the same names")
    parser.add_argument("--jobs", type=Path, help="JSON of plan_jobs: keep; without it: take back what is missing")
    parser.add_argument("--times", type=Path, help="CSV of the jobs' seconds; it is brought up to date")
    args = parser.parse_args(argv)
    if args.jobs and not args.times:
        raise UserError("--jobs needs --times, the CSV of the jobs' seconds")
    if args.jobs:
        files, source, target = shown_files(args.results, args.jobs), args.results, args.kept
    else:
        kept = sorted(path.relative_to(args.kept) for path in args.kept.rglob("*") if path.is_file())
        files, source, target = [name for name in kept if not (args.results / name).exists()], args.kept, args.results
    if not files and args.jobs:
        raise UserError(f"{args.results}: nothing that a table or figure is made from; run the tier first")
    copied = copy(files, source, target)
    if args.jobs:
        old = read_csv(args.times, TIME_COLUMNS) if args.times.is_file() else []
        write_csv(args.times, merged(old, job_times(args.results, load_jobs(args.jobs))), TIME_COLUMNS)
    logging.info("%d files, %d of them copied from %s to %s", len(files), copied, source, target)


if __name__ == "__main__":
    run_step(main)
