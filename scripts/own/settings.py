"""The workflow's settings for one's own data: what a run folder's YAML says, and why each value is what it is."""

from __future__ import annotations

import dataclasses
import math
import os
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.sizes import percent_of
from scripts.own.models import OwnModel
from scripts.own.ways import method_row, paper_of
from scripts.selection.methods import OFFERED, WAYS, ways_of

PAIR, POOL, GOAL, TEST, MODEL, EMBEDDER = "own", "own_pool", "own_goal", "own_test", "own_model", "own_embedder"
ANCHORS = "own"
TIER = "own"
NOT_RUN = "own data"
DELIFT_ARTIFACTS = ("table_1", "table_2", "table_3", "table_4", "table_5", "table_6", "table_fft",
                    "table_selection_quality", "figure_subset_size", "figure_laj", "figure_stages")  # fmt: skip
WRITTEN = 48
"""Tokens of an answer in a comparison."""
NARROW = 256
"""Width of a model's states below which it is a small one of the mini tier's kind."""
WIDE = 2048
"""Width of a model's states from which on adapters are trained instead of all weights."""


@dataclasses.dataclass(frozen=True)
class Machine:
    """What a run may use: cores of this machine, and a GPU where there is one or a profile sends the jobs elsewhere."""

    cores: int
    gpu: bool
    memory_mb: int

    @classmethod
    def here(cls, cores: int, elsewhere: bool = False) -> Machine:
        """Look at this machine; with `elsewhere` the jobs go to nodes that have a GPU."""
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
        return cls(cores, elsewhere or Path("/proc/driver/nvidia/gpus").is_dir(), max(1000, memory // 2))


@dataclasses.dataclass(frozen=True)
class Task:
    """What is to be chosen: sizes of the files, ways (names of the registry), how many rows, by which models."""

    n_pool: int
    n_goal: int
    ways: Sequence[str]
    keep: int
    seeds: Sequence[int]
    model: OwnModel | None
    embedder: OwnModel | None
    prompt: str | None
    machine: Machine

    @property
    def percent(self) -> float:
        """Return the share of the pool that is kept, in percent."""
        return percent_of(self.keep, self.n_pool)


def compute_settings(machine: Machine, model: OwnModel | None) -> dict[str, Any]:
    """Return `compute`: threads, batch size and memory of one job.

    A narrow model gains nothing by a second thread: its jobs run side by side instead.
    """
    narrow = model is not None and model.width is not None and model.width < NARROW
    return {
        "device": "auto",
        "dtype": "auto",
        "threads": 1 if narrow else min(machine.cores, 8),
        "batch_tokens": 16384 if machine.gpu else 4096,
        "memory_mb": machine.memory_mb,
        "gpus": int(machine.gpu),
        "runtime": "1d",
    }


def less_settings(width: int | None) -> dict[str, Any]:
    """Return LESS' rank and dimension by the model's width; the paper's 128 and 8,192 are for 4,096."""
    rank = 128 if width is None else min(128, max(8, 2 ** round(math.log2(max(width, 64) / 32))))
    return {"lora_rank": rank, "lora_alpha": 4 * rank, "dimension": min(8192, 64 * rank)}


def model_of(task: Task) -> str:
    """Return the name of the model in the registries; where no way asks one, that of a small one that stands there."""
    return task.model.name if task.model else "mini_causal"


def windowed(limit: int, model: OwnModel | None) -> int:
    """Return a limit on tokens, or the model's window where that is smaller."""
    return min(limit, model.window) if model and model.window else limit


def choosing_settings(task: Task) -> dict[str, Any]:
    """Return the overlay on the workflow's config by which its rules choose from one's own pool."""
    return {
        "tier": TIER,
        "papers": ["nuggets", "delift"],
        "compute": compute_settings(task.machine, task.model),
        "registries": {"datasets": ["own_datasets.yaml"], "models": ["own_models.yaml"]},
        "nuggets": nuggets_settings(task),
        "delift": delift_settings(task),
    }


def anchors_without_goal(n_pool: int) -> int:
    """Return how many anchors NUGGETS takes of a pool: 100 as published, a fifth of a smaller one."""
    return min(100, max(1, n_pool // 5))


def nuggets_settings(task: Task) -> dict[str, Any]:
    """Return what NUGGETS' rules are told. Without a goal its anchors are the pool's K-means centres, as published."""
    anchors = {"by": "given", "n": None} if task.n_goal else {"by": "kmeans", "n": anchors_without_goal(task.n_pool)}
    prompt = {"prompt": task.prompt} if task.prompt else {}
    return {
        "dataset": POOL,
        "model": model_of(task),
        "pool_size": task.n_pool,
        "limit": None,
        "truth": None,
        "anchor_dataset": GOAL if task.n_goal else POOL,
        "anchors": ANCHORS,
        "anchor_sets": {ANCHORS: anchors},
        "methods": {f"own_{way}": method_row(way) for way in task.ways if way in ways_of("nuggets")},
        "embed": {"pooling": "mean", "max_tokens": windowed(512, task.model)},
        "score": {"too_long": "truncate", "pad_word": False, "shard_size": min(1000, task.n_pool), **prompt},
        "subset_fraction": task.keep / task.n_pool,
        "seeds": list(task.seeds),
        "table_released_counts": {"dataset": None},
    }


def delift_settings(task: Task) -> dict[str, Any]:
    """Return what DELIFT's rules are told: the pool, and the goal as what an example is to help with."""
    whole = {"split": "train", "from": 0, "to": 1}
    goal = {"dataset": GOAL if task.n_goal else POOL, **whole}
    chosen = [way for way in task.ways if paper_of(way) == "delift"]
    materials = {need for way in task.ways for need in WAYS[way].needs}
    if task.embedder:
        embed = {"model": task.embedder.name, "pooling": "first", "max_tokens": windowed(512, task.embedder)}
    else:
        embed = {"model": model_of(task), "pooling": "mean", "max_tokens": windowed(512, task.model)}
    prompt = {"prompt": task.prompt} if task.prompt else {}
    less = {**less_settings(task.model.width if task.model else None), "max_tokens": windowed(2048, task.model)}
    return {
        **prompt,
        "pairs": {
            PAIR: {
                "stage": 1,
                "pool": {"dataset": POOL, **whole},
                "reference": None,
                "validation": goal,
                "test": goal,
                "rows": {"pool": task.n_pool, "reference": 0},
                "truth": None,
                "targets": "validation" if task.n_goal else "pool",
                "scale": "own",
                "learn_reference": False,
                "private": None,
            }
        },
        "limits": dict.fromkeys(("pool", "reference", "validation", "test")),
        "utility": {"max_tokens": windowed(2048, task.model), "block_size": min(250, task.n_pool)},
        "embed": embed,
        "baselines": {
            "ifd": False,
            **({} if "ratings" in materials else {"selectit": None}),
            "less": less if "gradients" in materials else None,
        },
        "methods": {f"own_{way}": method_row(way) for way in task.ways if way in ways_of("delift")},
        "judge": {"backend": "reference", "model": "reference"},
        "seeds": {"icl": [task.seeds[0]], "peft": list(task.seeds), "fft": list(task.seeds)},
        "percent": task.percent,
        **{artifact: {"not_run": NOT_RUN} for artifact in DELIFT_ARTIFACTS},
        "table_time": {
            "not_run": None if chosen else NOT_RUN,
            "runs": [{"pair": PAIR, "model": model_of(task)}],
            "methods": [f"own_{way}" for way in chosen] or ["full"],
        },
    }


def model_rows(*models: OwnModel | None) -> dict[str, Mapping[str, Any]]:
    """Return the registry rows of the models that are no registered ones."""
    return {model.name: model.row for model in models if model is not None and model.row is not None}


def targets_of(task: Task) -> dict[str, str]:
    """Return {way: the folder of its subsets}, what the workflow is asked for."""
    stems = {paper: f"results/{TIER}/{paper}/subsets" for paper in OFFERED}
    found = {}
    for way in task.ways:
        if paper_of(way) == "nuggets":
            anchors = ANCHORS if "golden_scores" in WAYS[way].needs else "unscored"
            found[way] = f"{stems['nuggets']}/{POOL}/{model_of(task)}/{anchors}/own_{way}"
        else:
            found[way] = f"{stems['delift']}/{PAIR}/{model_of(task)}/own_{way}"
    return found


def learning_of(model: OwnModel) -> str:
    """Return how a model learns in a comparison: all its weights, or adapters where it is wide or of unknown width."""
    return "fft" if model.width is not None and model.width < WIDE else "peft"


def learning_settings(model: OwnModel, epochs: float, rate: float | None) -> dict[str, Any]:
    """Return how a model learns from each choice. rate: of learning; by default a narrow model takes a higher one."""
    width = model.width or 4096
    usual = 5e-4 if width < NARROW else 5e-5 if width < 1024 else 2e-5
    shared = {
        "epochs": epochs,
        "max_steps": None,
        "batch_size": 8,
        "optimizer": "adamw",
        "activation_checkpointing": False,
        "loss_on": "response",
        "max_tokens": windowed(1024, model),
    }
    return {
        "fft": {**shared, "learning_rate": rate or usual},
        "peft": {**shared, "method": "lora", "learning_rate": rate or 1e-4},
    }


def comparing_settings(task: Task, epochs: float, rate: float | None = None) -> dict[str, Any]:
    """Return the overlay by which the workflow's head-to-head trains on each choice and answers the test rows.

    rate: of learning, None for the usual one of a model of that width.
    """
    assert task.model is not None
    model, settings = task.model, choosing_settings(task)
    whole = {"split": "train", "from": 0, "to": 1}
    delift = settings["delift"]
    pair = {**delift["pairs"][PAIR], "test": {"dataset": TEST, **whole}}
    prompt = {"prompt": task.prompt} if task.prompt else {}
    return {
        **settings,
        "papers": ["nuggets", "delift", "ddg", "head_to_head"],  # the head-to-head's rules read those of DDG
        "delift": {
            **delift,
            "pairs": {PAIR: pair},
            "table_time": {**delift["table_time"], "not_run": NOT_RUN},
            "finetune": {**prompt, **learning_settings(model, epochs, rate)},
            "shots": {"max_tokens": windowed(1024, model)},
            "generate": {"max_new_tokens": WRITTEN, "temperature": 0.0, "min_p": 0.0, "batch_size": 32},
        },
        "head_to_head": {
            "methods": {f"own_{way}": compared_row(way) for way in task.ways},
            "selection": {
                "not_run": None,
                "pair": PAIR,
                "model": model.name,
                "learning": learning_of(model),
                "percents": [task.percent],
                "seeds": list(task.seeds),
                "methods": [f"own_{way}" for way in task.ways],
                "measures": ["rouge_1"],
                "shown": ["rouge_1", "reference_loglik_nats_per_token"],
                "units_per_job": 1,
            },
            "demonstrations": {"not_run": NOT_RUN},
        },
    }


def compared_row(way: str) -> dict[str, str]:
    """Return which paper's command chooses by a way in a comparison: NUGGETS' where it alone has the scores."""
    scored = not set(WAYS[way].needs).isdisjoint({"golden_scores", "difficulty", "ifd"})
    return {"paper": "nuggets" if scored else "delift", "method": f"own_{way}"}
