"""A training step on two devices learns what it learns on one with as many rows a step. Here they are processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from scripts.common.files import read_json
from tests.long import LONG
from tests.tiny import RESULTS, TINY, make_workspace
from tests.workspace import REPO_ROOT, Workspace

ONE, TWO = (1, 2), (2, 1)  # devices, forward passes per optimizer step
LAUNCHER = "python -m scripts.lm.launch --processes 2 -m scripts."
LARGEST_DIFFERENCE = 5e-6  # of losses in nats, and of weights that four steps moved by a hundred times as much


def nuggets(devices: int, passes: int) -> dict[str, Any]:
    """Return settings in which full fine-tuning takes four steps."""
    finetune = {"devices": devices, "accumulation": passes, "batch_size": 4, "max_steps": 4}
    return {"nuggets": {"keep_models": True, "seeds": [0], "finetune": finetune}}


def step_by_step(devices: int, passes: int) -> dict[str, Any]:
    """Return settings in which one student takes four steps, the loss a mean over all tokens of a step."""
    train = {"max_steps": 4, "eval_steps": 4, "batch_size": 8, "accumulation": passes, "token_mean": "step"}
    sizes = {"train_size": 80, "valid_size": 10, "test_size": 10, "augment_size": 10}
    # Dropout draws for the rows of one process, so it could not agree.
    paper = {
        "together": False,
        "dropout": 0.0,
        "devices": devices,
        "datasets": ["mini_cqa"],
        "runs": [0],
        "train": train,
    }
    return {"synthetic_reasoning": sizes, "step_by_step": paper}


def mend(devices: int, passes: int) -> dict[str, Any]:
    """Return settings in which two distillers take four steps each from the shipped one."""
    finetune = {"steps": 4, "accumulation": passes, "batch_size": 2}
    backbones = {"mini": {"pretrained": "resources/mini/distiller"}}
    return {"mend": {"devices": devices, "finetune": finetune, "backbones": backbones}}


class Trained:
    """What a training job wrote."""

    def __init__(self, workspace: Workspace, target: str, settings: dict[str, Any]) -> None:
        (workspace.folder / "devices.json").write_text(json.dumps(settings), encoding="utf-8")
        done = workspace.run(target, configfiles=(*TINY, "devices.json"), options=("--printshellcmds",))
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        self.launched = LAUNCHER in done.stdout + done.stderr
        self.file = workspace.folder / target
        self.losses = torch.tensor(losses_in(read_json(self.file)))
        self.weights = {str(path): load_file(path) for path in sorted(self.file.with_suffix("").rglob("*.safetensors"))}


def losses_in(history: Any) -> list[float]:
    """Return all losses in a history, in its order."""
    if isinstance(history, list):
        return [loss for one in history for loss in losses_in(one)]
    if isinstance(history, dict):
        found = [losses_in(value) if "loss" not in key else flat(value) for key, value in sorted(history.items())]
        return [loss for one in found for loss in one]
    return []


def flat(values: Any) -> list[float]:
    """Return the numbers in nested lists and dictionaries."""
    if isinstance(values, dict):
        values = [values[key] for key in sorted(values)]
    return [number for value in values for number in flat(value)] if isinstance(values, list) else [float(values)]


def furthest(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """Return the largest difference between the weights that two models share."""
    return max(float((one[name].float() - other[name].float()).abs().max()) for name in one.keys() & other.keys())


@LONG
@pytest.mark.parametrize(
    ("settings", "target", "start"),
    [
        pytest.param(nuggets, "nuggets/train/mini_pool/mini_causal/runs_0.json", "causal", id="nuggets"),
        pytest.param(
            step_by_step,
            "step_by_step/students/mini_cqa/mini_t5_small/standard_finetuning-gt-palm-100.json",
            None,  # its weights are not kept
            id="step_by_step",
        ),
        pytest.param(mend, "mend/distillers/mini/synthetic/main.json", "distiller", id="mend"),
    ],
)
def test_two_devices_learn_what_one_does(tmp_path: Path, settings: Any, target: str, start: str | None) -> None:
    workspace = make_workspace(tmp_path)
    target = str(RESULTS / target)
    one, two = Trained(workspace, target, settings(*ONE)), Trained(workspace, target, settings(*TWO))
    assert (one.launched, two.launched) == (False, True)
    assert one.losses.numel()
    assert torch.allclose(one.losses, two.losses, rtol=0, atol=LARGEST_DIFFERENCE), (one.losses, two.losses)
    assert bool(one.weights) == bool(start)
    for name in one.weights:
        assert furthest(one.weights[name], two.weights[name]) <= LARGEST_DIFFERENCE
    if start:
        begin = load_file(REPO_ROOT / "resources" / "mini" / start / "model.safetensors")
        assert furthest(begin, next(iter(one.weights.values()))) > 100 * LARGEST_DIFFERENCE
