"""Tiny models, distillers and tasks for MEND's tests. Words are those of `lm_tiny.tokenizer`."""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path
from typing import Any, Sequence

import torch

from scripts.common.files import write_jsonl
from scripts.lm.load import LoadedModel
from scripts.mend.demonstrations import Encoder, PromptFormat
from scripts.mend.distiller import Distiller
from scripts.mend.llm import LargeModel
from tests.unit.lm_tiny import tiny

FORMAT = PromptFormat("direct", " A", " B", True, 8, 48, 48)
LABELS = ("w50", "w51", "w52")

DISTILL = {
    "stage": 2, "steps": 4, "batch_size": 2, "accumulation": 1, "learning_rate": 3e-3, "warmup_ratio": 0.0,
    "weight_decay": 0.0, "max_grad_norm": 1.0, "adam_epsilon_rule": "before_correction",
    "weight_decay_on": "except_norms", "min_text_tokens": 10,
    "model_dropout": False, "patience": 0, "n_vectors": 3, "pooler": "auto", "placeholder_start": "normal",
    "n_demonstrations": 3, "queries": 2, "groups": 1, "cut": 0.8, "lm_weight": 1.0, "kl_weight": 1.0,
    "hidden_weight": 0.0, "temperature": 1.0, "query_weight": 1.0, "evaluate_steps": 2, "dev_queries": 4,
    "save_steps": 0, "precision": "auto", "activation_checkpointing": False, "kl_chunk": 5,
}  # fmt: skip


def large_model(kind: str = "llama", *, frozen: bool = True, seed: int = 0) -> LargeModel:
    """Return a tiny large model."""
    return LargeModel(tiny(kind, seed=seed), frozen=frozen)


def distiller(kind: str = "llama", *, n_vectors: int = 3, width: int = 32, pooler: str = "auto") -> Distiller:
    """Return a tiny distiller with drawn placeholders."""
    loaded: LoadedModel = tiny(kind, seed=1)
    body = loaded.model.get_encoder() if kind == "t5" else loaded.model.base_model
    made = Distiller(body, n_vectors, width, pooler)
    made.start(torch.Generator().manual_seed(3))
    return made.eval()


def encoder(form: PromptFormat = FORMAT) -> Encoder:
    """Return an encoder of the tiny tokenizer."""
    return Encoder(tiny().tokenizer, form)


def task_rows(task: str, n: int, seed: int, labels: Sequence[str] = LABELS) -> list[dict[str, Any]]:
    """Return rows whose label follows from their first word."""
    rng = random.Random(f"{task}/{seed}")
    rows = []
    for number in range(n):
        kind = number % len(labels)
        text = " ".join([f"w{10 * kind}", *(f"w{rng.randrange(40)}" for _ in range(2))])
        rows.append({"task": task, "input": text, "output": labels[kind], "options": list(labels)})
    return rows


def write_tasks(root: Path, names: Sequence[str], *, shots: int = 4, seeds: Sequence[int] = (13, 21)) -> Path:
    """Write k-shot files of test tasks as the preprocessing does."""
    for name in names:
        for seed in seeds:
            write_jsonl(root / name / f"{name}_{shots}_{seed}_train.jsonl", task_rows(name, 3 * shots, seed))
        write_jsonl(root / name / "test.jsonl", task_rows(name, 9, 99))
    return root


def format_json(form: PromptFormat = FORMAT) -> str:
    """Return a format as the steps take it."""
    return json.dumps(dataclasses.asdict(form))
