"""Learners: features, reset, moving average, refusal of unknown heads."""

from __future__ import annotations

import pytest
import torch

from scripts.common.errors import UserError
from scripts.ddg.learners import Learner, Start, copy_of, draw_head, follow, read_states, train_batch
from tests.unit.ddg_tiny import learner, task


def weights(made: Learner) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in made.named_parameters()}


def train(made: Learner, steps: int = 2) -> None:
    given = task()
    rows = made.encode(given.texts, 16)
    made.requires_grad_(True)
    descent = torch.optim.SGD(made.parameters(), lr=0.5)
    for _ in range(steps):
        train_batch(made, rows[:9], given.labels[:9]).backward()
        descent.step()
        descent.zero_grad()


@pytest.mark.parametrize(
    ("kind", "pooling"),
    [("bert", "model"), ("bert", "mean"), ("bert", "first"), ("roberta", "model"), ("xlnet", "model")],
)
def test_features_do_not_depend_on_padding_or_batches(kind, pooling):
    made, given = learner(kind, pooling=pooling).double(), task(per_class=5)
    rows = made.encode(given.texts, 16)
    for place in (0, 1):
        together = read_states(made, rows, 4)[place]
        alone = torch.cat([read_states(made, [row], 1)[place] for row in rows])
        assert torch.allclose(together, alone, atol=1e-6)


def test_reset_gives_back_the_pretrained_encoder_on_the_cpu():
    """DiLM's reset keeps references to the live weights, so that nothing is reset on a CPU."""
    made = learner()
    before, start = weights(made), Start(made)
    train(made)
    moved = weights(made)
    assert any(not torch.equal(before[name], moved[name]) for name in before if name.startswith("encoder"))
    start.restore(made, seed=5)
    assert all(torch.equal(before[name], value) for name, value in weights(made).items())
    start.restore(made, seed=6)
    after = weights(made)
    assert all(torch.equal(before[name], after[name]) for name in before if name.startswith("encoder"))
    assert not torch.equal(before["head.weight"], after["head.weight"])
    assert torch.equal(after["head.bias"], torch.zeros(3))


def test_classifier_is_drawn_with_the_configured_spread():
    made = learner("roberta")
    draw_head(made, 1)
    assert float(made.head.dense.weight.std()) == pytest.approx(0.3, rel=0.2)
    assert float(made.head.out.bias.abs().max()) == 0


def test_teacher_follows_with_geometric_weights():
    student = learner()
    teacher, decay, seen = copy_of(student), 0.9, [weights(student)]
    for _ in range(4):
        train(student, steps=1)
        follow(teacher, student, decay)
        seen.append(weights(student))
    for name, value in weights(teacher).items():
        wanted = decay**4 * seen[0][name] + sum((1 - decay) * decay ** (4 - k) * seen[k][name] for k in range(1, 5))
        assert torch.allclose(value, wanted, atol=1e-6)


def test_decay_zero_is_the_student_and_decay_one_never_moves():
    student = learner()
    fast, slow = copy_of(student), copy_of(student)
    before = weights(student)
    train(student)
    follow(fast, student, 0.0)
    follow(slow, student, 1.0)
    assert all(torch.equal(value, weights(fast)[name]) for name, value in weights(student).items())
    assert all(torch.equal(value, weights(slow)[name]) for name, value in before.items())


def test_a_copy_is_independent():
    student = learner()
    teacher = copy_of(student)
    train(student)
    assert not torch.equal(weights(student)["head.weight"], weights(teacher)["head.weight"])
    assert not any(value.requires_grad for value in teacher.parameters())


def test_pairs_reach_the_learner_as_two_texts():
    made = learner()
    (row,) = made.encode([("w1 w2", "w3")], 16)
    (other,) = made.encode([("w1", "w2 w3")], 16)
    plain = made.tokenizer("w1 w2 w3")["input_ids"]
    assert row["input_ids"] == plain  # this tokenizer knows no line break; the texts stay in order
    assert len(other["input_ids"]) == 3


def test_long_texts_are_cut_and_empty_ones_refused():
    made = learner()
    assert [len(row["input_ids"]) for row in made.encode([("w1 " * 30,), ("w2",)], 7)] == [7, 1]
    with pytest.raises(UserError, match="no tokens for the learner"):
        made.encode([(" ",)], 7)


def test_an_unknown_head_is_refused_by_name():
    made = learner()
    made.encoder.config.model_type = "deberta"
    with pytest.raises(UserError, match="classifier of a 'deberta' model is not known; set pooling to mean or first"):
        Learner(made.encoder, made.tokenizer, 3, "model", 60)
    assert isinstance(Learner(made.encoder, made.tokenizer, 3, "mean", 60).head, torch.nn.Linear)
