"""Faults of the workflow in the words of the command `thrift`: its flag in place of a config key or a step's flag."""

from __future__ import annotations

import re
from typing import Mapping

FLAGS = {
    # what the workflow's config is called here
    "nuggets.subset_fraction": "--keep",
    "delift.percent": "--keep",
    "head_to_head.selection.percents": "--keep",
    "nuggets.score.prompt": "--prompt",
    "delift.prompt": "--prompt",
    "delift.finetune.prompt": "--prompt",
    "nuggets.seeds": "--seeds",
    "delift.seeds": "--seeds",
    "head_to_head.selection.seeds": "--seeds",
    "delift.embed": "--embedder",
    "compute": "--cores",
    "own_models.yaml": "--model",
    "own_datasets.yaml": "POOL",
    "own_pool": "POOL",
    "own_goal": "--goal",
    "own_test": "--test",
    # flags and settings of its steps
    "--pool": "POOL",
    "--candidates": "POOL",
    "--examples": "POOL",
    "--anchors": "--goal",
    "--validation": "--goal",
    "--targets": "--goal",
    "--reference": "--goal",
    "--embeddings": "--embedder",
    "learning_rate": "--learning-rate",
    "less.learning_rate": "--model",
    "generate.max_new_tokens": "--model",
    "batch_tokens": "--model",
    "labels": "--label",
}
"""Where a fault of the workflow lies -> the flag (or argument) of `thrift` that decides it."""
_HEAD = re.compile(r"(?:--settings(?:: |\.))?(?P<place>[\w.\-/]+)(?P<more>(?: [^:]{1,60})?): (?P<told>.+)", re.S)


def in_flags(fault: str, models: Mapping[str, str] | None = None) -> str | None:
    """Return a fault of the workflow with the flag of `thrift` that it belongs to, None where no flag decides it.

    fault: one line, PLACE: what is wrong and what to do. A place is a config key, a step's flag, a file of the run or
    one of `models`, {name or folder of a model: its flag}.
    """
    for model, flag in (models or {}).items():
        if fault.startswith(f"{model}: "):
            return f"{flag}: {fault.removeprefix(model + ': ')}"
        if fault.startswith(f"{model}/"):
            return f"{flag}: {fault}"
    head = _HEAD.fullmatch(fault)
    if head is None:
        return None
    place = head["place"].rpartition("/")[2].removesuffix(".jsonl")
    while place:
        if place in FLAGS:
            return f"{FLAGS[place]}{head['more']}: {head['told']}"
        place = place.rpartition(".")[0]
    return None
