"""Made-up runs of both evaluations, measured by DDG's own steps, for the tests of its tables and figures."""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path
from typing import Any, Iterable, Sequence

import yaml

from scripts.common.files import read_csv, write_csv, write_json
from scripts.common.metrics import PUBLISHED_COLUMNS, read_merged, write_metrics
from scripts.ddg import (
    job_settings,
    list_missing,
    measure_averages,
    measure_differences,
    measure_in_context,
    measure_learners,
)
from scripts.ddg.measurements import ContextRun, LearnerRun
from scripts.ddg.plan import Plan
from scripts.ddg.run_columns import CONTEXT_COLUMNS, FULL, LEARNER_COLUMNS, ZERO_SHOT
from tests.workspace import REPO_ROOT

METHODS = {"random": 0.5, "k_centers": 0.6, "dilm": 0.8, "ddg": 0.8, "dilm_no_rt": 0.7}
SEEDS = [0, 1, 2]
SHOWN: dict[str, Any] = {
    "seeds": SEEDS,
    "sets": {"dpcs": [2, 5], "draws": 2},
    "distil": {"tasks": [], "methods": ["ddg"]},
    "table_1": {"tasks": ["sst2"], "methods": ["random", "k_centers", "dilm", "ddg"], "dpcs": [2, 5]},
    "table_2": {"learners": ["bert_base", "roberta_base"], "methods": ["random", "dilm"], "dpc": 5},
    "table_3": {"task": "sst2", "models": ["gpt2_xl"], "methods": ["random", "dilm"], "protocol": "dilm", "round": 2},
    "table_4": {"methods": ["dilm", "dilm_no_rt"], "dpc": 5},
    "table_7": {"dpc": 2},
    "table_8": {"dpc": 5},
    "table_main": {"tasks": ["sst2"], "methods": ["zero_shot", "random", "dilm"], "protocol": "longicl", "round": 2},
    "table_long": {"tasks": ["many"], "methods": ["random", "dilm"]},
    "table_ablation": {"tasks": ["sst2"], "methods": ["ddg", "dilm", "dilm_no_rt"], "dpc": 5},
    "table_paired": {"pairs": [["dilm", "random"], ["ddg", "dilm"]]},
    "table_examples": {"tasks": ["sst2"], "method": "ddg", "n": 2},
    "figure_sensitivity": {
        "task": "sst2", "dpc": 5, "decay": ["dilm", "ddg"], "temperature": ["dilm"], "methods": ["random", "dilm"],
    },
    "figure_training": {"task": "sst2", "variants": ["dilm", "ddg"]},
}  # fmt: skip


def paper_settings() -> dict[str, Any]:
    """Return the paper's own settings, the config's key `ddg`."""
    path = REPO_ROOT / "config" / "papers" / "ddg.yaml"
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["ddg"]
    return found


def settings(**changes: Any) -> dict[str, Any]:
    """Return settings of a small comparison: two tasks, two sizes, two rounds, one language model."""
    base = paper_settings()
    given = copy.deepcopy({**base, **SHOWN, "sets": {**base["sets"], **SHOWN["sets"]}})
    given["tasks"] = {"sst2": base["tasks"]["sst2"], "many": {**base["tasks"]["banking77"], "title": "many classes"}}
    given["in_context"].update(models=["gpt2_xl"], rounds=[1, 2], draws=1)
    return {**given, **changes}


def plan(*, absent: dict[str, str] | None = None, **changes: Any) -> Plan:
    """Return the plan of the small comparison. absent: why a split or a model cannot be had."""
    given = settings(**changes)
    return Plan(given, {row["dataset"]: ["negative", "positive"] for row in given["tasks"].values()}, absent or {})


def score(method: str, seed: int, draw: int) -> float:
    """Return the made-up score of one set: the method's, a hundredth more a seed and a thousandth a draw."""
    return METHODS.get(method, 0.1) + 0.01 * seed + 0.001 * draw


def learner_rows(runs: Iterable[LearnerRun]) -> list[dict[str, Any]]:
    """Return what train_learners writes for the runs of a job; learners on all texts score 0.95."""
    rows = []
    for run in runs:
        for seed in SEEDS:
            for draw in range(2) if run.method != FULL else [0]:
                value = score(run.method, seed, draw) if run.method != FULL else 0.95
                for metric, shown in (("accuracy", value), ("matthews", value - 0.3)):
                    values = (run.method, run.size, seed, draw, 0, metric, f"{shown:.9g}", 100)
                    rows.append(dict(zip(LEARNER_COLUMNS, values)))
    return rows


def context_rows(given: Plan, runs: Iterable[ContextRun]) -> list[dict[str, Any]]:
    """Return what evaluate_in_context writes for the runs of a job; the first round scores a tenth less."""
    rows = []
    for run in runs:
        alone = run.method == ZERO_SHOT
        for scorer in given.scorers(run.protocol):
            for number in [0] if alone else given.rounds(run.protocol):
                for seed in SEEDS[:1] if alone else SEEDS:
                    value = score(run.method, seed, 0) - 0.1 * (number == 1)
                    values = (run.protocol, scorer, run.method, number, seed, 0, f"{value:.9g}", 0.1, 0.9, 50, 30)
                    rows.append(dict(zip(CONTEXT_COLUMNS, values)))
    return rows


def write_histories(folder: Path) -> None:
    """Write the training histories of two variants."""
    for name in ("dilm", "ddg"):
        steps = [{"cosine": 0.8 + 0.01 * step, "synthetic_loss": 1.0} for step in range(8)]
        refreshes = [
            {"outer": n, "failures": 0, "distinct_1": 0.1, "distinct_2": 0.3, "real_loss": 2.0} for n in (0, 4)
        ]
        seeds = [{"seed": seed, "steps": steps, "refreshes": refreshes} for seed in SEEDS]
        write_json(folder / f"{name}.json", {"seeds": seeds})


def place(folder: Path, path: str) -> Path:
    """Return where a file of the plan lies in the tests' folder."""
    return Path(path.replace("<results>/ddg", str(folder)))


def runs_file(folder: Path, evaluation: str, job: Sequence[str]) -> Path:
    """Return the file of a job's runs."""
    return folder / evaluation / f"{'/'.join(job)}.csv"


def write_runs(folder: Path, given: Plan) -> None:
    """Write the runs of every job of the plan."""
    files = [
        (runs_file(folder, "learners", job), learner_rows(r), LEARNER_COLUMNS) for job, r in given.learner_jobs.items()
    ]
    for job, own in given.context_jobs.items():
        files.append((runs_file(folder, "in_context", job), context_rows(given, own), CONTEXT_COLUMNS))
    for path, rows, columns in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_csv(path, rows, columns)


def measure(folder: Path, given: Plan) -> None:
    """Run every measuring step of the plan on the runs in the folder."""
    seeds = ["--seeds", *map(str, given.ddg["seeds"])]

    def out(name: str) -> list[str]:
        path = folder / "measured" / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        return ["--measured-out", str(path)]

    for job in given.learner_jobs:
        task, learner, _ = job
        about = ["--task", task, "--learner", learner, "--metric", given.ddg["tasks"][task]["metric"]]
        runs = ["--runs", str(runs_file(folder, "learners", job))]
        measure_learners.main([*runs, *about, *seeds, *out(f"learners/{'/'.join(job)}")])
    for job in given.context_jobs:
        runs = ["--runs", str(runs_file(folder, "in_context", job))]
        about = ["--task", job[0], "--model", job[1]]
        measure_in_context.main([*runs, *about, *seeds, *out(f"in_context/{'/'.join(job)}")])
    learners, prompts = given.jobs_of("table_paired")
    files = [*jobs_and_files(folder, "learner-jobs", "learners", "learners", learners)]
    files += jobs_and_files(folder, "context-jobs", "contexts", "in_context", prompts)
    told = ["--settings", json.dumps(job_settings.differences(given))]
    measure_differences.main([*files, *told, *out("differences")])
    files = jobs_and_files(folder, "jobs", "runs", "in_context", given.jobs_of("table_main")[1])
    measure_averages.main([*files, "--settings", json.dumps(job_settings.averages(given)), *out("averages")])
    list_missing.main(["--settings", json.dumps(dataclasses.asdict(given)), *out("missing")])


def jobs_and_files(
    folder: Path, jobs_flag: str, files_flag: str, evaluation: str, jobs: Sequence[Sequence[str]]
) -> list[str]:
    """Return the flags that name jobs and their files."""
    files = [str(runs_file(folder, evaluation, job)) for job in jobs]
    return [f"--{jobs_flag}", *("/".join(job[:2]) for job in jobs), f"--{files_flag}", *files]


def written(folder: Path, given: Plan | None = None) -> Plan:
    """Write runs and histories, measure them, write an empty file of published values; return the plan."""
    made = given or plan()
    write_runs(folder, made)
    write_histories(folder)
    measure(folder, made)
    write_csv(folder / "published.csv", [], PUBLISHED_COLUMNS)
    return made


def merged(folder: Path, given: Plan, artifact: str) -> Path:
    """Write the measured values that an artifact is given into one file."""
    path = folder / f"{artifact}_measured.csv"
    write_metrics(path, read_merged(place(folder, name) for name in given.needs(artifact).measured))
    return path


def outputs(folder: Path, name: str, kinds: Sequence[str]) -> list[str]:
    """Return the output flags of a table or figure."""
    return [part for kind in kinds for part in (f"--{kind}-out", str(folder / f"{name}.{kind}"))]


def flags(folder: Path, given: Plan, artifact: str) -> list[str]:
    """Return the flags of the step that makes a table or figure."""
    measured = [str(place(folder, path)) for path in given.needs(artifact).measured]
    kinds = ("csv", "md", "tex") if artifact.startswith("table") else ("csv", "pdf", "png")
    return [
        *("--artifact", artifact, "--measured", *measured, "--published", str(folder / "published.csv")),
        *("--settings", json.dumps(given.settings(artifact)), "--tier", "mini", *outputs(folder, artifact, kinds)),
    ]


def rows_of(folder: Path, artifact: str) -> list[dict[str, str]]:
    """Return the CSV of a table or figure."""
    return read_csv(folder / f"{artifact}.csv")
