"""What a run would do: its jobs, how many ask a model, and how long that may take."""

from __future__ import annotations

import argparse
import collections
from typing import Sequence

from scripts.common.yaml_files import read_yaml
from scripts.own.run_folder import ROOT, RunFolder, say
from scripts.own.settings import TIER
from scripts.report.estimate_resources import planned_jobs, work_left
from scripts.report.job_work import model_sizes, read_costs


def say_plan(folder: RunFolder, targets: Sequence[str], args: argparse.Namespace) -> None:
    """Print jobs by kind, passes of a model and estimated time of what is still to be done."""
    jobs = planned_jobs(folder.dry_run(targets, args.cores, args.profile))
    if not jobs:
        say("nothing is left to do: the same command without --dry-run writes the results")
        return
    models = {**read_yaml(ROOT / "config" / "models.yaml"), **(read_yaml(folder.path / "own_models.yaml") or {})}
    costs = read_costs(ROOT / "config" / "costs.yaml")
    for rule, count in collections.Counter(job.rule for job in jobs).items():
        passes = "asks the model" if any(" --model " in job.command for job in jobs if job.rule == rule) else ""
        say(f"  {count:4d} x {rule.replace('_', ' '):34} {passes}".rstrip())
    asking = sum(" --model " in job.command for job in jobs)
    gpu = any(job.gpus for job in jobs)
    say(f"{asking} of {len(jobs)} jobs ask a model")
    benchmarks = folder.path / "results" / TIER / "benchmarks"
    say(work_left(jobs, benchmarks, costs, model_sizes(models), gpu))
