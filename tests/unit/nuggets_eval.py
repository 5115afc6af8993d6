"""Small benchmarks, answers and settings for the tests of how NUGGETS' models are evaluated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.files import write_csv, write_json, write_jsonl
from scripts.common.metrics import PUBLISHED_COLUMNS, metric_row
from scripts.nuggets.generate_answers import alpaca_eval_rows, fastchat_rows
from scripts.nuggets.plan import Plan
from tests.unit.nuggets_tiny import PROMPT

FINETUNE = {
    "method": "full",
    "epochs": 1,
    "max_steps": 3,
    "learning_rate": 1e-2,
    "schedule": "cosine",
    "warmup_ratio": 0.0,
    "weight_decay": 0.0,
    "max_grad_norm": 1.0,
    "batch_size": 2,
    "accumulation": 1,
    "devices": 1,
    "fsdp": "",
    "fsdp_wrap": "LlamaDecoderLayer",
    "max_tokens": 64,
    "save_steps": 0,
    "adam_epsilon_rule": "after_correction",
    "lora": {"rank": 2, "alpha": 4, "dropout": 0.0, "targets": "all-linear"},
}
ANSWER = {"max_new_tokens": 6, "temperature": 0.0, "stop": ["\n"], "batch_size": 4, "batch_tokens": 64}
JUDGE = {
    "backend": "reference",
    "model": "reference",
    "base_url": None,
    "key_variable": "OPENAI_API_KEY",
    "swap": True,
    "max_new_tokens": 16,
    "cache": "unused",
    "timeout_s": 5,
    "attempts": 1,
    "parallel": 4,
    "price_in": 0,
    "price_out": 0,
    "parameters": {},
}
SINGLES = [
    {"id": "0", "group": "koala", "instruction": "w1", "input": "", "baseline_output": "w9", "reference": "w2 w3"},
    {"id": "1", "group": "koala", "instruction": "w2", "input": "w5", "baseline_output": "w4 w5", "reference": "w4 w5"},
    {"id": "2", "group": "vicuna", "instruction": "w3", "input": "", "baseline_output": "w7", "reference": "w6"},
    {"id": "3", "group": "vicuna", "instruction": "w4", "input": "", "baseline_output": "w7", "reference": "w7 w8"},
]
DIALOGUES = [
    {"id": "81", "category": "writing", "turns": ["w1", "w2"], "references": ["w3", "w4 w5"]},
    {"id": "82", "category": "math", "turns": ["w6", "w7"], "references": ["w8 w9", ""]},
]
METHODS = {
    "base": {"by": "none"},
    "full": {"by": "all"},
    "gt_0.5": {"by": "golden_score", "above": 0.5},
    "gt_0.9": {"by": "golden_score", "above": 0.9},
    "perplexity": {"by": "perplexity", "order": "lowest"},
    "ifd": {"by": "ifd", "order": "highest"},
    "length": {"by": "length", "order": "highest"},
}


SHOWN = ["base", "full", "gt_0.5", "gt_0.9"]
NUGGETS = {
    "dataset": "pool",
    "model": "tiny",
    "pool_size": 10,
    "limit": None,
    "truth": None,
    "truth_form": "truth",
    "truth_scores": None,
    "sample": {"even": False, "held_out": 0},
    "anchor_dataset": "pool",
    "anchors": "kmeans_4",
    "score": {"shard_size": 4},
    "methods": METHODS,
    "runs_per_job": 1,
    "benchmarks": {"alpaca_eval": "alpaca_eval", "mt_bench": "mt_bench"},
    "judge": {"backend": "reference", "model": "reference"},
    "table_1": {"anchors": None, "methods": SHOWN},
    "table_2": {"anchors": None, "methods": SHOWN},
    "table_3": {"anchor_sets": ["kmeans_4"], "methods": ["gt_0.5", "gt_0.9"]},
    "table_baselines": {"methods": SHOWN},
    "table_cases": {"n": 2},
    "figure_scores": {"anchors": None, "thresholds": [0.25, 0.5]},
    "figure_pairwise": {"anchors": None, "reference": "full", "methods": ["base", "gt_0.5", "gt_0.9"]},
    "figure_anchor_sizes": {"sizes": [1, 2, 4], "draws": 3},
    "table_released_counts": {"dataset": None, "model": "llama_7b", "anchors": "kmeans_100", "thresholds": [0.25, 0.5]},
    "table_racing": {"thresholds": [0.25, 0.5]},
}
"""The config's key `nuggets`, as far as the plan reads it."""


def plan(**changes: Any) -> Plan:
    """Return the plan of the small settings; changes: keys of `nuggets`."""
    return Plan.of({"nuggets": {**NUGGETS, **changes}, "data": {"seed": 0}})


def value(experiment: str, setting: str, method: str, seed: int, metric: str, number: float, n: int = 4) -> dict:
    """Return a measured value of the tiny model."""
    return metric_row("nuggets", experiment, setting, "tiny", method, seed, metric, number, n)


def published(
    artifact: str, experiment: str, setting: str, method: str, metric: str, number: float, model: str = "llama_7b"
) -> dict[str, Any]:
    """Return a value that the paper prints."""
    cells = ("nuggets", artifact, experiment, setting, model, method, metric, number, "", "paper", "an image")
    return dict(zip(PUBLISHED_COLUMNS, cells))


def write_published(path: Path, rows: Sequence[Mapping[str, Any]] = ()) -> Path:
    """Write published values and return the path."""
    write_csv(path, rows, PUBLISHED_COLUMNS)
    return path


def write_benchmarks(folder: Path) -> tuple[Path, Path]:
    """Write both benchmarks in their canonical form and return their paths."""
    write_jsonl(folder / "alpaca_eval.jsonl", SINGLES)
    write_jsonl(folder / "mt_bench.jsonl", DIALOGUES)
    return folder / "alpaca_eval.jsonl", folder / "mt_bench.jsonl"


def write_answers(
    folder: Path,
    method: str,
    singles: Mapping[int, Sequence[str]],
    dialogues: Mapping[int, Sequence[Sequence[str]]] | None = None,
    *,
    counts: Mapping[str, int] | None = None,
    reason: str = "",
) -> Path:
    """Write answers to both benchmarks by seed as `generate_answers` does; reason: why there are none."""
    for seed, outputs in singles.items():
        turns = (dialogues or {}).get(seed, [["w1"] * len(row["turns"]) for row in DIALOGUES])
        made = alpaca_eval_rows(SINGLES, outputs, method), fastchat_rows(DIALOGUES, turns, method)
        rows = ([], []) if reason else made
        write_json(folder / "alpaca_eval" / f"seed_{seed}.json", rows[0])
        write_jsonl(folder / "mt_bench" / f"seed_{seed}.jsonl", rows[1])
    status = {"status": "not_run" if reason else "done", "reason": reason, "method": method}
    write_json(folder / "status.json", {**status, "n_examples": dict(counts or {})})
    return folder


def flags(values: Mapping[str, Any]) -> list[str]:
    """Return command-line flags: lists are spread, dictionaries written as JSON, None leaves the flag out."""
    found: list[str] = []
    for name, value in values.items():
        if value is None:
            continue
        found.append(f"--{name}")
        if isinstance(value, dict):
            found.append(json.dumps(value))
        elif isinstance(value, (list, tuple)):
            found += [str(item) for item in value]
        else:
            found.append(str(value))
    return found


def model_flags(folder: Path) -> dict[str, Any]:
    """Return the flags that load a model from a folder on one thread."""
    return {"model": folder, "dtype": "float32", "device": "cpu", "threads": 1, "prompt": PROMPT}
