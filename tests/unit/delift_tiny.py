"""Settings of the utility kernel for tests, and the kernel computed plainly: every prompt alone, full soft-max."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

import numpy as np
import torch

from scripts.common.step_parser import checked
from scripts.delift.settings_choose import UtilitySettings
from scripts.lm.load import LoadedModel
from tests.unit.nuggets_tiny import PROMPT

TEMPLATES = {
    "alone": "Instruction: w1\n\n\nInput: {prompt}\n",
    "example": "Instruction:\nw2\n\n\nw3:\n{prompt}\n{response}\n\n\n",
    "query": "Input:\n{prompt}\n",
}
RELEASED_TOKENS = {"before": "none", "between": "eos", "after": "eos"}


def utility_settings(**changes: Any) -> dict[str, Any]:
    """Return the fields of UtilitySettings as released, with a small batch."""
    usual = {
        "prompt": PROMPT,
        "templates": TEMPLATES,
        "special_tokens": RELEASED_TOKENS,
        "distance": "euclidean",
        "max_tokens": 2048,
        "released_truncation": False,
        "released_batch": 3,
        "batch_tokens": 64,
    }
    return {**usual, **changes}


def make_settings(**changes: Any) -> UtilitySettings:
    """Return UtilitySettings as released, with changes."""
    return checked(UtilitySettings, utility_settings(**changes))


def text_of(row: Mapping[str, str]) -> str:
    """Return a row's prompt, written out once more."""
    given = f"Input:\n{row['input'].strip()}\n" if row["input"].strip() else ""
    return f"Instruction:\n{row['instruction'].strip()}\n{given}Response:\n"


def plain_prompt(example: Mapping[str, str] | None, target: Mapping[str, str]) -> str:
    """Return the whole prompt of a target, with or without example."""
    if example is None:
        return f"Instruction: w1\n\n\nInput: {text_of(target)}\n"
    shown = f"Instruction:\nw2\n\n\nw3:\n{text_of(example)}\n{example['output'].strip()}\n\n\n"
    return f"{shown}Input:\n{text_of(target)}\n"


def plain_ids(loaded: LoadedModel, prompt: str, target: Mapping[str, str]) -> tuple[list[int], int]:
    """Return prompt + end + response + end as ids, and where the response begins."""
    end = loaded.tokenizer.eos_token_id
    before = loaded.tokenizer(prompt, add_special_tokens=False)["input_ids"]
    response = loaded.tokenizer(target["output"].strip(), add_special_tokens=False)["input_ids"]
    return [*before, end, *response, end], len(before) + 1


def plain_distance(loaded: LoadedModel, ids: Sequence[int], begin: int, limit: int) -> float:
    """Return ||p - 1|| / sqrt(T) over the tokens from `begin` on, the sequence cut at `limit`; 0 if none is left."""
    kept = list(ids[:limit])
    if len(kept) <= begin:
        return 0.0
    with torch.inference_mode():
        probabilities = torch.softmax(loaded.model(torch.tensor([kept])).logits[0].double(), dim=-1)
    right = [float(probabilities[place - 1, kept[place]]) for place in range(begin, len(kept))]
    return float(np.linalg.norm(np.array(right) - 1) / np.sqrt(len(right)))


def plain_utilities(
    loaded: LoadedModel,
    targets: Sequence[Mapping[str, str]],
    examples: Sequence[Mapping[str, str]],
    limit: int = 10_000,
) -> np.ndarray:
    """Return d_i(none) - d_i(j) of every pair, one forward pass each, (targets, examples) float64."""

    def distance(example: Mapping[str, str] | None, target: Mapping[str, str]) -> float:
        return plain_distance(loaded, *plain_ids(loaded, plain_prompt(example, target), target), limit)

    alone = np.array([distance(None, target) for target in targets])
    return alone[:, None] - np.array([[distance(example, target) for example in examples] for target in targets])
