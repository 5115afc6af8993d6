"""What each table and figure costs from scratch: jobs, of what kinds, hours with and without a GPU."""

from __future__ import annotations

import argparse
import collections
import dataclasses
import sys
from pathlib import Path
from typing import Mapping, Sequence

from scripts.common.errors import run_step
from scripts.common.files import write_csv
from scripts.common.settings import parse_json
from scripts.report.estimating import Estimator, Job, estimate, job_of, measured_times, plan, to_lines
from scripts.report.job_graph import PlannedJob, jobs_behind, planned_job, read_fields
from scripts.report.job_work import read_costs


@dataclasses.dataclass(frozen=True)
class ArtifactCost:
    """The jobs behind one table or figure. hours: one job after the other; gpu_hours: each GPU of a job counted.

    kinds: how many jobs of each kind, the most expensive first; basis: how the hours were found.
    """

    artifact: str
    jobs: int
    gpu_jobs: int
    hours_with_gpu: float
    gpu_hours: float
    hours_without_gpu: float
    basis: str
    kinds: str


COLUMNS = tuple(field.name for field in dataclasses.fields(ArtifactCost))


def kind_of(rule: str, owners: Sequence[str]) -> str:
    """Return what the job of a rule does, its verb. owners: what rules' names begin with, papers and data, models."""
    owner = max((name for name in owners if rule.startswith(f"{name}_")), key=len, default="")
    return rule.removeprefix(f"{owner}_").partition("_")[0]


def cost_of(
    name: str,
    files: Sequence[str],
    jobs: Mapping[PlannedJob, Job],
    estimator: Estimator,
    owners: Sequence[str],
) -> ArtifactCost:
    """Return what the jobs behind an artifact's files cost."""
    behind = [jobs[job] for job in jobs_behind(files, list(jobs))]
    whole = estimate(name, behind, estimator)
    hours: collections.Counter[str] = collections.Counter()
    counts: collections.Counter[str] = collections.Counter()
    for job in behind:
        kind = kind_of(job.rule, owners)
        counts[kind] += 1
        hours[kind] += estimator.seconds(job).with_gpu
    order = sorted(counts, key=lambda kind: (-hours[kind], kind))
    return ArtifactCost(
        name,
        jobs=len(behind),
        gpu_jobs=sum(job.gpus > 0 for job in behind),
        hours_with_gpu=whole.hours,
        gpu_hours=whole.gpu_hours,
        hours_without_gpu=whole.hours_without_gpu,
        basis=whole.basis,
        kinds=", ".join(f"{counts[kind]} {kind}" for kind in order),
    )


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="the run's merged configuration as JSON")
    parser.add_argument("--artifacts", required=True, help="JSON list as for the report")
    parser.add_argument("--owners", nargs="+", required=True, help="what rules' names begin with: papers, data, models")
    parser.add_argument("--benchmarks", type=Path, required=True, help="folder of the tier's benchmark files")
    parser.add_argument("--costs", type=Path, required=True, help="YAML: config/costs.yaml")
    parser.add_argument("--sizes", required=True, help="JSON: parameters of each registered model")
    parser.add_argument("--costs-out", type=Path, required=True, help="CSV file, one row for each table and figure")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Plan everything from scratch, walk back from each artifact, write and print."""
    args = parse_args(argv)
    artifacts = parse_json("--artifacts", args.artifacts, list)
    targets = [file for artifact in artifacts for file in artifact["files"][:1]]
    found = [job for job in read_fields(plan(args.config, targets, ["--forceall"])) if "log" in job]
    jobs = {planned_job(job): job_of(job) for job in found}
    sizes = parse_json("--sizes", args.sizes, dict)
    estimator = Estimator(measured_times(args.benchmarks), read_costs(args.costs), sizes)
    rows = [
        cost_of(f"{artifact['paper']}_{artifact['artifact']}", artifact["files"], jobs, estimator, args.owners)
        for artifact in artifacts
    ]
    write_csv(args.costs_out, [dataclasses.asdict(row) for row in rows], COLUMNS)
    for line in to_lines(rows, COLUMNS):
        sys.stdout.write(line + "\n")


if __name__ == "__main__":
    run_step(main)
