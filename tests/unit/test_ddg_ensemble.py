"""Learners trained together are the learners trained one by one."""

from __future__ import annotations

import pytest
import torch

from scripts.common.errors import UserError
from scripts.ddg.batches import Shuffled
from scripts.ddg.ensemble import Run, predict, train_together
from scripts.ddg.learners import Start, head_seed, train_batch
from scripts.ddg.optimizing import Stepper, rate_share
from scripts.ddg.settings_train import Optimizer
from tests.unit.ddg_tiny import OPTIMIZER, learner, task

TASK = task(per_class=16)
STEPS, BATCH = 8, 6


def adamw(rate, schedule, warmup, decay, clip, rule="except_bert_norms"):
    values = {"learning_rate": rate, "schedule": schedule, "warmup_ratio": warmup, "weight_decay": decay}
    return Optimizer(**{**OPTIMIZER, **values, "max_grad_norm": clip, "weight_decay_on": rule})


def runs(made, sizes=(12, 12, 12)):
    rows = made.encode(TASK.texts, 16)
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return [Run(rows[at : at + n], TASK.labels[at : at + n], seed) for seed, (at, n) in enumerate(zip(starts, sizes))]


@pytest.mark.parametrize(
    ("kind", "schedule", "clip", "rule"),
    [
        ("bert", "cosine", 1.0, "except_bert_norms"),
        ("roberta", "linear", 0.05, "matrices"),
        ("xlnet", "linear", 0.05, "all"),
    ],
)
def test_weights_and_predictions_are_those_of_single_runs(kind, schedule, clip, rule):
    made = learner(kind).double()
    made.encoder.set_attn_implementation("eager")
    start, optimizer = Start(made), adamw(1e-3, schedule, 0.2, 0.05, clip, rule)
    given = runs(made)
    together = train_together(made, start, given, STEPS, BATCH, optimizer, dropout=False)
    predicted = predict(made, together, given[0].rows, 5)
    for number, run in enumerate(given):
        start.restore(made, head_seed(run.seed, "evaluation"))
        made.requires_grad_(True)
        stepper = Stepper(made, optimizer, STEPS, "test")
        batches = Shuffled(len(run.rows), BATCH, run.seed, "set batches")
        for step in range(STEPS):
            places = batches.rows(step)
            train_batch(made, [run.rows[i] for i in places], [run.labels[i] for i in places]).backward()
            # XLNet has weights for other inputs: where no gradient comes, one way decays them and the other does not
            unused = {name for name, value in made.named_parameters() if value.grad is None}
            stepper.step()
        assert len(unused) <= 5
        assert not any("head" in name for name in unused)
        for name, value in made.named_parameters():
            assert name in unused or torch.allclose(together[name][number], value.detach(), atol=2e-5), name
        with torch.no_grad():
            alone = made(made.collate(given[0].rows)).argmax(dim=-1)
        assert torch.equal(predicted[number], alone)


def test_dropout_is_drawn_for_each_learner_and_repeats_with_its_seed():
    made = learner(dropout=0.3)
    made.encoder.set_attn_implementation("eager")
    start, optimizer = Start(made), adamw(1e-2, "constant", 0.0, 0.0, 1.0)
    one = runs(made)[0]
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        found.append(train_together(made, start, [one, one], 3, BATCH, optimizer, dropout=True)["head.weight"])
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    assert not torch.equal(found[0][0], found[0][1])  # two learners of one seed, but each with its own dropout


def test_sets_of_different_sizes_do_not_go_together():
    made = learner()
    with pytest.raises(ValueError, match="different sizes"):
        train_together(made, Start(made), runs(made, (12, 9)), 1, BATCH, adamw(1e-3, "cosine", 0, 0, 0), dropout=False)


def test_a_diverging_learner_is_named():
    made = learner()
    made.encoder.set_attn_implementation("eager")
    with torch.no_grad():
        made.encoder.embeddings.word_embeddings.weight.mul_(torch.inf)
    with pytest.raises(UserError, match="learner: the loss became .* at step 1 of 2; lower learning_rate"):
        train_together(made, Start(made), runs(made), 2, BATCH, adamw(1e-3, "cosine", 0, 0, 1), dropout=False)


def test_schedule_by_hand():
    cosine = adamw(1.0, "cosine", 0.5, 0.0, 0.0)
    assert [rate_share(step, 8, cosine) for step in range(8)] == pytest.approx(
        [0, 0.25, 0.5, 0.75, 1, 0.8535534, 0.5, 0.1464466], abs=1e-6
    )
    linear = adamw(1.0, "linear", 0.0, 0.0, 0.0)
    assert [rate_share(step, 4, linear) for step in range(4)] == pytest.approx([1, 0.75, 0.5, 0.25])
    assert rate_share(3, 4, adamw(1.0, "constant", 0.25, 0.0, 0.0)) == 1.0


def test_a_gradient_that_is_not_finite_is_named():
    made = learner()
    stepper = Stepper(made, adamw(1e-3, "cosine", 0, 0, 1), 5, "the run")
    made.requires_grad_(True)
    for value in made.parameters():
        value.grad = torch.full_like(value, torch.nan)
    with pytest.raises(UserError, match="the run: the gradient became nan at step 1 of 5; lower learning_rate"):
        stepper.step()
