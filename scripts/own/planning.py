"""What a run would do: its jobs, how many texts a model would read, and how long that may take."""

from __future__ import annotations

import argparse
import collections
import dataclasses
import math
from typing import Any, Mapping, Sequence

from scripts.common.yaml_files import read_yaml
from scripts.own.run_folder import ROOT, RunFolder, in_words_of_ours, say
from scripts.own.settings import TIER, WRITTEN, Task, anchors_without_goal
from scripts.report.estimating import Job, planned_jobs, work_left
from scripts.report.job_work import Costs, factor, model_sizes, read_costs, read_flags
from scripts.selection.methods import WAYS

CHARACTERS = 4
"""Of one token, about."""
RATINGS, EPOCHS = 5, 4
"""Requests of SelectIT for each row, epochs at whose ends LESS takes gradients (config/papers/delift.yaml)."""


@dataclasses.dataclass(frozen=True)
class Work:
    """How much there is to read: the task, tokens of a row, test rows and epochs of a comparison."""

    task: Task
    tokens: int
    n_test: int = 0
    epochs: float = 0.0


def tokens_of(rows: Sequence[Mapping[str, Any]]) -> int:
    """Return the tokens of a row, about: the mean of its letters by CHARACTERS."""
    letters = sum(len(row["instruction"]) + len(row["input"]) + len(row["output"]) for row in rows)
    return max(1, round(letters / len(rows) / CHARACTERS))


def costs_of(costs: Costs, work: Work | None) -> Costs:
    """Return the costs with the real numbers of rows in place of the guesses for the papers' data sets."""
    if work is None:
        return costs
    task, size = work.task, [work.tokens]
    anchors = task.n_goal or anchors_without_goal(task.n_pool)
    rules: dict[str, list[dict[str, Any]]] = {
        "score_candidates": [{"do": "read", "model": "--model", "texts": ["shard", anchors], "tokens": size}],
        "score_difficulty": [{"do": "read", "model": "--model", "texts": [task.n_pool, 2], "tokens": size}],
        "embed_prompts": [{"do": "read", "model": "--model", "texts": [task.n_pool], "tokens": size}],
        "embed_examples": [
            {"do": "read", "model": "--model", "texts": [task.n_pool + 3 * task.n_goal], "tokens": size}
        ],
        "score_utility": [
            {"do": "read", "model": "--model", "texts": ["shard", task.n_goal or task.n_pool], "tokens": size}
        ],
        "evaluate_subsets": [
            {"do": "train", "model": "--model", "texts": ["--seeds", task.keep, work.epochs], "tokens": size},
            {"do": "write", "model": "--model", "texts": ["--seeds", work.n_test], "tokens": [WRITTEN]},
        ],
    }
    needed = {need for way in task.ways for need in WAYS[way].needs}
    if "ratings" in needed:
        rules["score_baselines"] = [{"do": "read", "model": "--model", "texts": [task.n_pool, RATINGS], "tokens": size}]
    if "gradients" in needed:
        learnt = {"do": "train", "model": "--model", "texts": [task.n_pool + task.n_goal, EPOCHS], "tokens": size}
        rules["score_baselines"] = [*rules.get("score_baselines", ()), learnt]
    own = {f"{paper}_{rule}": parts for rule, parts in rules.items() for paper in ("nuggets", "delift", "head_to_head")}
    return dataclasses.replace(costs, rules={**costs.rules, **own})


def texts_read(job: Job, costs: Costs) -> float:
    """Return how many texts a model reads, learns or writes in one job, as far as the costs tell."""
    flags, found = read_flags(job.command), 0.0
    for part in costs.rules.get(job.rule, ()):
        try:
            found += math.prod(factor(name, flags) for name in part["texts"])
        except (KeyError, TypeError, IndexError):
            continue
    return found


def say_plan(folder: RunFolder, targets: Sequence[str], args: argparse.Namespace, work: Work | None = None) -> None:
    """Print jobs by kind, texts that a model would read and the estimated time of what is still to be done."""
    jobs = planned_jobs(folder.dry_run(targets, args.cores, args.profile))
    if not jobs:
        say("nothing is left to do: the same command without --dry-run writes the results")
        return
    models = {**read_yaml(ROOT / "config" / "models.yaml"), **(read_yaml(folder.path / "own_models.yaml") or {})}
    sizes = model_sizes(models)
    sizes |= {
        folder_name(row["local"]): sizes[name] for name, row in models.items() if name in sizes and row.get("local")
    }
    costs = costs_of(read_costs(ROOT / "config" / "costs.yaml"), work)
    read: collections.Counter[str] = collections.Counter()
    for job in jobs:
        read[in_words_of_ours(job.rule)] += texts_read(job, costs)
    for said, count in collections.Counter(in_words_of_ours(job.rule) for job in jobs).items():
        told = f"{read[said]:,.0f} texts for the model" if read[said] and work else ""
        say(f"  {count:4d} x {said:52} {told}".rstrip())
    benchmarks = folder.path / "results" / TIER / "benchmarks"
    say(work_left(jobs, benchmarks, costs, sizes, any(job.gpus for job in jobs)))


def folder_name(path: str) -> str:
    """Return the name of a model's folder, by which its size is looked up in a command."""
    return path.rstrip("/").rpartition("/")[2]
