"""The optimizers' options against values worked out by hand, slow references and what transformers does itself."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from transformers import Trainer, get_scheduler

from scripts.common.errors import UserError
from scripts.ddg.optimizing import Stepper, rate_share
from scripts.ddg.settings_train import Optimizer
from scripts.lm.finetune import finetune
from scripts.lm.finetune_settings import FinetuneSettings
from scripts.lm.optimizer_options import SCHEDULES, step_share, warmup_length
from scripts.lm.optimizing import EarlyEpsilonAdamW, decay_groups, decaying, make_adamw
from tests.unit.ddg_tiny import OPTIMIZER, learner
from tests.unit.lm_tiny import tiny


def test_a_part_of_a_step_of_warm_up_counts_as_in_dilm():
    exact, up = warmup_length(0.05, 6, "exact"), warmup_length(0.05, 6, "up")
    assert (exact, up) == (pytest.approx(0.3), 1)
    assert step_share(3, 6, exact, "cosine") == pytest.approx(0.5413, abs=5e-5)  # .5 (1 + cos(pi 2.7 / 5.7))
    assert step_share(3, 6, up, "cosine") == pytest.approx(0.6545, abs=5e-5)  # .5 (1 + cos(pi 2 / 5))
    assert step_share(0, 6, exact, "cosine") == 0
    given = Optimizer(**{**OPTIMIZER, "warmup_ratio": 0.05})
    assert rate_share(3, 6, given) == pytest.approx(0.5413, abs=5e-5)
    assert warmup_length(0.5, 8, "exact") == warmup_length(0.5, 8, "up") == 4


@pytest.mark.parametrize("warmup", [0, 0.3, 1, 2.5, 3])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules_are_those_of_transformers(schedule, warmup):
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=1.0)
    name = "constant_with_warmup" if schedule == "constant" else schedule
    theirs = get_scheduler(name, optimizer, num_warmup_steps=warmup, num_training_steps=6)
    for step in range(6):
        assert step_share(step, 6, warmup, schedule) == pytest.approx(theirs.get_last_lr()[0], abs=1e-12)
        optimizer.step()
        theirs.step()


def norms_of(names):
    return sorted(name for name in names if "ln_" in name or "orm" in name)


def test_dilm_spares_names_with_bias_or_layernorm_weight_only():
    gpt2 = tiny("gpt2").model
    decayed = decaying(gpt2, "except_bert_norms")
    assert norms_of(decayed) == norms_of(name for name, _ in gpt2.named_parameters() if name.endswith("weight"))
    assert not any("bias" in name for name in decayed)
    assert norms_of(decaying(learner("bert"), "except_bert_norms")) == []
    assert norms_of(decaying(learner("xlnet"), "except_bert_norms")) != []
    assert not any("r_w_bias" in name for name in decaying(learner("xlnet"), "except_bert_norms"))
    assert any("r_w_bias" in name for name in decaying(learner("xlnet"), "matrices"))


@pytest.mark.parametrize("kind", ["gpt2", "llama", "opt", "t5"])
def test_except_norms_is_the_trainers_rule(kind):
    model = tiny(kind).model
    names = {name for name, _ in model.named_parameters()}  # the Trainer also lists the second name of a tied weight
    assert decaying(model, "except_norms") == names & set(Trainer.get_decay_parameter_names(None, model)) != names
    assert decaying(model, "all") == names


def test_gpt2s_norms_decay_by_metaicls_names_but_not_by_the_trainers_kinds():
    model = tiny("gpt2").model
    by_kind, by_name = decaying(model, "except_norms"), decaying(model, "except_bert_norms")
    norms = {name for name, _ in model.named_parameters() if ".ln_" in name and name.endswith("weight")}
    assert len(norms) == 5  # two in each of two layers, one behind them
    assert by_name - by_kind == norms
    assert by_kind - by_name == set()
    assert {"transformer.wte.weight", "transformer.h.0.attn.c_attn.weight"} <= by_kind
    llama = decaying(tiny("llama").model, "except_norms")
    assert not any("norm" in name for name in llama)
    assert "model.layers.0.mlp.up_proj.weight" in llama


@pytest.mark.parametrize("rule", ["before_correction", "after_correction"])
def test_weights_with_gradients_of_0_shrink_by_the_decay_alone(rule):
    model = tiny("gpt2").model
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    given = {**OPTIMIZER, "learning_rate": 0.1, "schedule": "constant", "warmup_ratio": 0.0, "weight_decay": 0.5}
    given["adam_epsilon_rule"] = rule
    stepper = Stepper(model, Optimizer(**given), 6, "test")
    for _ in range(6):
        for value in model.parameters():
            value.grad = torch.zeros_like(value)
        stepper.step()
    for name, value in model.named_parameters():
        factor = 1.0 if "bias" in name else 0.95**6
        assert torch.allclose(value, before[name] * factor, rtol=1e-5), name


def test_groups_hold_every_weight_once():
    model = tiny("gpt2").model
    groups = decay_groups(model.named_parameters(), decaying(model, "except_norms"), 0.1)
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))


# ---- where epsilon is added ------------------------------------------------------------------------------------------


RATES = [1e-3, 3e-3, 2e-3, 1e-3, 5e-4, 2e-4]


def slow_adamw(weight, gradients, early, decay=0.0):
    """Return the weight after six steps of RATES, in float64, written out.

    early: epsilon is added before the correction of v, and weights decay after the step.
    """
    m, v, weight = torch.zeros_like(weight), torch.zeros_like(weight), weight.clone()
    for t, (rate, gradient) in enumerate(zip(RATES, gradients), start=1):
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient**2
        first, second = 1 - 0.9**t, 1 - 0.999**t
        if early:
            weight = weight - rate * math.sqrt(second) / first * m / (v.sqrt() + 1e-8)
            weight = weight - rate * decay * weight
        else:
            weight = weight - rate * decay * weight
            weight = weight - rate * (m / first) / ((v / second).sqrt() + 1e-8)
    return weight


def gradients_of(n=6):
    generator = torch.Generator().manual_seed(0)
    scales = torch.logspace(-9, 0, 40, dtype=torch.float64)
    return [torch.randn(40, generator=generator, dtype=torch.float64) * scales for _ in range(n)]


def six_steps(start, gradients, rule, decay):
    """Return the weight after six steps of RATES with our optimizer."""
    weight = nn.Parameter(start.clone())
    adamw = make_adamw(decay_groups({"w": weight}, {"w"}, decay), 0.0, epsilon_rule=rule)
    for rate, gradient in zip(RATES, gradients):
        for group in adamw.param_groups:
            group["lr"] = rate
        weight.grad = gradient.clone()
        adamw.step()
        assert [group["weight_decay"] for group in adamw.param_groups] == [decay, 0.0]
    return weight.detach()


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("rule,early", [("before_correction", True), ("after_correction", False)])
def test_six_steps_are_those_of_a_slow_reference(rule, early, decay):
    start, gradients = torch.linspace(-1, 1, 40, dtype=torch.float64), gradients_of()
    found = six_steps(start, gradients, rule, decay)
    assert torch.allclose(found, slow_adamw(start, gradients, early, decay), atol=1e-12)
    assert not torch.allclose(found, slow_adamw(start, gradients, not early, decay), atol=1e-4)


def test_the_rules_differ_where_gradients_are_as_small_as_epsilon():
    start = torch.ones(5, dtype=torch.float64)
    gradients = [torch.tensor([1e-9, -1e-8, 1e-7, 0.5, -2.0]).double() * (1 + step % 3) for step in range(6)]
    early, late = (six_steps(start, gradients, rule, 0.0) for rule in ("before_correction", "after_correction"))
    assert abs(early[1] - late[1]) > 1e-3
    assert early[4].item() == pytest.approx(late[4].item(), abs=1e-6)


@pytest.mark.parametrize(
    "rule,wanted",
    [
        ("before_correction", 0.72),  # (1 - 0.1) less a fifth
        ("after_correction", 0.7),  # 1 less a fifth, then 0.1
    ],
)
def test_decay_comes_after_the_step_in_the_old_rule_by_hand(rule, wanted):
    moved, still = (nn.Parameter(torch.ones(1, dtype=torch.float64)) for _ in range(2))
    adamw = make_adamw(decay_groups({"a": moved, "b": still}, {"a", "b"}, 2.0), 0.1, epsilon_rule=rule)
    moved.grad = torch.ones_like(moved)  # a first step moves by the step size, 0.1
    adamw.step()
    assert moved.item() == pytest.approx(wanted, abs=1e-6)
    assert still.item() == 1  # no gradient, no decay


def test_the_first_step_of_the_old_rule_by_hand():
    weight = nn.Parameter(torch.zeros(2, dtype=torch.float64))
    adamw = make_adamw([weight], 1.0, epsilon_rule="before_correction")
    weight.grad = torch.tensor([1.0, 1e-8], dtype=torch.float64)
    adamw.step()
    assert adamw.param_groups[0]["eps"] == pytest.approx(3.1623e-7, rel=1e-4)
    # g / (|g| + 3.1623e-7): 1e-8 / 3.2623e-7 = 0.03065; with torch's rule it would be 0.5
    assert weight.tolist() == pytest.approx([-1.0, -0.030653], abs=1e-6)


def test_a_resumed_state_counts_on():
    gradients = gradients_of()
    whole, first, second = (nn.Parameter(torch.ones(40, dtype=torch.float64)) for _ in range(3))
    adamw = make_adamw([whole], 1e-2, epsilon_rule="before_correction")
    for gradient in gradients:
        whole.grad = gradient.clone()
        adamw.step()
    begun = make_adamw([first], 1e-2, epsilon_rule="before_correction")
    for gradient in gradients[:3]:
        first.grad = gradient.clone()
        begun.step()
    second.data.copy_(first.data)
    resumed = make_adamw([second], 1e-2, epsilon_rule="before_correction")
    assert isinstance(resumed, EarlyEpsilonAdamW)
    resumed.load_state_dict(begun.state_dict())
    for gradient in gradients[3:]:
        second.grad = gradient.clone()
        resumed.step()
    assert torch.equal(second, whole)


# ---- the Trainer's way ----------------------------------------------------------------------------------------------


def trained(**changes):
    """Return the weights of a tiny model after six steps of `finetune`."""
    loaded = tiny("gpt2")
    settings = FinetuneSettings(
        learning_rate=3e-3, epochs=1, max_steps=6, batch_size=2, accumulation=1, schedule="cosine", warmup_ratio=0.05,
        weight_decay=0.1, max_grad_norm=1.0, max_tokens=12, **changes,
    )  # fmt: skip
    history = finetune(loaded, [("w1 w2", "w3 w4"), ("w5", "w6 w7 w8"), ("w9 w1", "w2")], settings, seed=0)
    return history.losses, {name: value.detach().clone() for name, value in loaded.model.named_parameters()}


def test_the_trainer_takes_the_same_options():
    losses, weights = trained()
    again, same = trained(weight_decay_on="except_norms", warmup_rounding="up", adam_epsilon_rule="after_correction")
    assert (losses, all(torch.equal(weights[name], same[name]) for name in weights)) == (again, True)
    for changes in ({"weight_decay_on": "except_bert_norms"}, {"adam_epsilon_rule": "before_correction"}):
        other = trained(**changes)[1]
        assert any(not torch.equal(weights[name], other[name]) for name in weights), changes
    moved = trained(warmup_rounding="exact")[0]
    assert moved[:2] == losses[:2]  # step 0 has no step size under both
    assert moved[2:] != losses[2:]


def test_options_that_do_not_go_together_are_one_line():
    with pytest.raises(UserError, match="adam_epsilon_rule: optimizer 'paged_adamw_8bit' has after_correction only"):
        trained(optimizer="paged_adamw_8bit", adam_epsilon_rule="before_correction")
    with pytest.raises(UserError, match="weight_decay_on: 'norms' is not one of"):
        trained(weight_decay_on="norms")
