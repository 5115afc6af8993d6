"""The parts that all training loops share, against torch alone."""

from __future__ import annotations

import copy

import pytest
import torch

from scripts.common.errors import UserError
from scripts.lm.loop import check_finite, optimizer_tensors, restore_optimizer, update_weights


def start() -> tuple[list[torch.nn.Parameter], torch.optim.Optimizer]:
    torch.manual_seed(1)
    weights = [torch.nn.Parameter(torch.randn(3, 2)), torch.nn.Parameter(torch.randn(4))]
    groups = [{"params": weights[:1], "weight_decay": 0.1}, {"params": weights[1:], "weight_decay": 0.0}]
    return weights, torch.optim.AdamW(groups, lr=9.0)


def learn(weights: list[torch.nn.Parameter], optimizer: torch.optim.Optimizer, rate: float) -> None:
    sum((weight**3).sum() for weight in weights).backward()
    update_weights(optimizer, rate)


def test_a_step_at_a_rate_is_torchs_and_leaves_no_gradient() -> None:
    weights, optimizer = start()
    others = [torch.nn.Parameter(weight.detach().clone()) for weight in weights]
    plain = torch.optim.AdamW(
        [{"params": others[:1], "weight_decay": 0.1}, {"params": others[1:], "weight_decay": 0.0}], lr=0.01
    )
    learn(weights, optimizer, 0.01)
    sum((weight**3).sum() for weight in others).backward()
    plain.step()
    assert all(torch.equal(one, other) for one, other in zip(weights, others))
    assert all(weight.grad is None for weight in weights)


def test_a_restored_optimizer_goes_on_as_if_nothing_had_happened() -> None:
    weights, optimizer = start()
    for _ in range(3):
        learn(weights, optimizer, 0.01)
    kept = copy.deepcopy(optimizer_tensors(optimizer))
    assert {name for name in kept if name.startswith("optimizer.1.")} == {
        f"optimizer.1.{moment}" for moment in ("step", "exp_avg", "exp_avg_sq")
    }
    values = [weight.detach().clone() for weight in weights]
    learn(weights, optimizer, 0.02)
    again, other = start()
    with torch.no_grad():
        for weight, value in zip(again, values):
            weight.copy_(value)
    restore_optimizer(other, {**kept, "weights.a": torch.zeros(1)})
    learn(again, other, 0.02)
    assert all(torch.equal(one, two) for one, two in zip(weights, again))
    assert all(torch.equal(value, kept[name]) for name, value in kept.items()), "what was given is left alone"
    assert other.param_groups[0]["weight_decay"] == 0.1


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf")])
def test_a_loss_that_is_not_finite_names_setting_and_step(wrong: float) -> None:
    check_finite([0.5, 2.0], 0, 10, 0.1)
    with pytest.raises(UserError, match=rf"lr: the loss became {wrong} at step 3 of 10; lower lr \(0.1\) or lengthen"):
        check_finite([0.5, wrong], 2, 10, 0.1, key="lr")
    with pytest.raises(UserError, match=r"matching: the gradient became .*; lower learning_rate"):
        check_finite([wrong], 2, 10, 0.1, place="matching", quantity="gradient")
