"""The optimizer of the released code: epsilon's place, the decay's place, and which weights decay."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from scripts.mend.optimizing import EPSILON, Optimizer, decaying
from tests.unit.lm_tiny import tiny

RATES = [1e-3, 3e-3, 2e-3, 1e-3, 5e-4, 2e-4]


def gradients(step: int) -> torch.Tensor:
    """Return made-up gradients, some of the size of epsilon, where its place shows."""
    return torch.tensor([1e-9, -1e-8, 1e-7, 0.5, -2.0]) * (1 + step % 3)


def by_hand(adam: str, weight_decay: float) -> list[float]:
    """Return five weights of 1 after six steps, number by number."""
    found = []
    for place in range(5):
        weight, first, second = 1.0, 0.0, 0.0
        for step, rate in enumerate(RATES):
            slope = float(gradients(step)[place])
            first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2
            left, right = 1 - 0.9 ** (step + 1), 1 - 0.999 ** (step + 1)
            if adam == "huggingface":
                weight -= rate * math.sqrt(right) / left * first / (math.sqrt(second) + EPSILON)
                weight -= rate * weight_decay * weight
            else:
                weight -= rate * weight_decay * weight
                weight -= rate * (first / left) / (math.sqrt(second / right) + EPSILON)
        found.append(weight)
    return found


def trained(adam: str, weight_decay: float) -> list[float]:
    module = nn.Module()
    module.weight = nn.Parameter(torch.ones(5))
    rule = Optimizer(module, {"weight": module.weight}, adam=adam, decay="trainer", weight_decay=weight_decay)
    for step, rate in enumerate(RATES):
        rule.prepare(step, rate)
        module.weight.grad = gradients(step)
        rule.optimizer.step()
        rule.finish(rate)
    return module.weight.tolist()


@pytest.mark.parametrize("adam", ["huggingface", "torch"])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_six_steps_by_hand(adam: str, weight_decay: float) -> None:
    assert trained(adam, weight_decay) == pytest.approx(by_hand(adam, weight_decay), abs=1e-6)


def test_the_two_rules_differ_where_gradients_are_small() -> None:
    ours, theirs = trained("huggingface", 0.0), trained("torch", 0.0)
    assert abs(ours[1] - theirs[1]) > 1e-3
    assert ours[4] == pytest.approx(theirs[4], abs=1e-6)


def test_the_first_step_divides_by_32_times_epsilon() -> None:
    module = nn.Module()
    module.weight = nn.Parameter(torch.ones(1))
    rule = Optimizer(module, {"weight": module.weight}, adam="huggingface", decay="trainer", weight_decay=0.0)
    rule.prepare(0, 1e-3)
    assert rule.optimizer.param_groups[0]["eps"] == pytest.approx(3.1623e-7, rel=1e-4)
    rule.prepare(10**6, 1e-3)
    assert rule.optimizer.param_groups[0]["eps"] == pytest.approx(EPSILON)


def test_norms_decay_by_metaicls_names_but_not_by_the_trainers_kinds() -> None:
    model = tiny("gpt2").model
    by_trainer, by_name = decaying(model, "trainer"), decaying(model, "metaicl")
    norms = {name for name, _ in model.named_parameters() if ".ln_" in name and name.endswith("weight")}
    assert len(norms) == 5  # two in each of two layers, one behind them
    assert by_name - by_trainer == norms
    assert not any("bias" in name for name in by_name)
    assert {"transformer.wte.weight", "transformer.h.0.attn.c_attn.weight"} <= by_trainer
    llama = decaying(tiny("llama").model, "trainer")
    assert not any("norm" in name for name in llama)
    assert "model.layers.0.mlp.up_proj.weight" in llama
