"""The chunked losses against plain formulas and autograd."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from scripts.mend.losses import OutputHead, distillation_loss, hidden_loss


def states(n: int = 7, words: int = 11, width: int = 6, seed: int = 0) -> tuple[Tensor, Tensor, OutputHead, Tensor]:
    """Return student and teacher states, a head, and which states predict an answer."""
    draw = torch.Generator().manual_seed(seed)
    student = torch.randn(n, width, generator=draw).requires_grad_()
    teacher = torch.randn(n, width, generator=draw)
    head = OutputHead(torch.randn(words, width, generator=draw), torch.randn(words, generator=draw), 0.7)
    return student, teacher, head, torch.tensor([True, False, True, False, False, True, False])


def plain(student: Tensor, teacher: Tensor, head: OutputHead, answer: Tensor, targets: Tensor, temperature: float):
    """Return KL and cross entropy by the library's functions on whole matrices."""
    ours, theirs = head.logits(student), head.logits(teacher)
    kl = F.kl_div(F.log_softmax(ours / temperature, 1), F.softmax(theirs / temperature, 1), reduction="batchmean")
    return kl, F.cross_entropy(ours[answer], targets)


@pytest.mark.parametrize("chunk", [1, 3, 100])
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_values_and_gradient_equal_the_plain_formulas(chunk: int, temperature: float) -> None:
    student, teacher, head, answer = states()
    targets = torch.tensor([3, 0, 10])
    kl, lm = plain(student, teacher, head, answer, targets, temperature)
    (expected,) = torch.autograd.grad(0.5 * kl + 2.0 * lm, student)
    found = distillation_loss(
        student, teacher, targets, answer, head, kl_weight=0.5, lm_weight=2.0, temperature=temperature, chunk=chunk
    )
    torch.testing.assert_close(found.kl, kl.detach())
    torch.testing.assert_close(found.lm, lm.detach())
    torch.testing.assert_close(found.total.detach(), (0.5 * kl + 2.0 * lm).detach())
    (gradient,) = torch.autograd.grad(3.0 * found.total, student)
    torch.testing.assert_close(gradient, 3.0 * expected, atol=1e-6, rtol=1e-5)


def test_equal_states_have_no_divergence_and_no_slope() -> None:
    student, _, head, answer = states()
    found = distillation_loss(
        student, student.detach(), torch.tensor([1, 2, 3]), answer, head, kl_weight=1.0, lm_weight=0.0
    )
    (gradient,) = torch.autograd.grad(found.total, student)
    assert float(found.kl) == pytest.approx(0.0, abs=1e-6)
    assert float(gradient.abs().max()) < 1e-6


def test_lambda_zero_is_the_answers_loss_alone() -> None:
    student, teacher, head, answer = states()
    targets = torch.tensor([4, 4, 1])
    alone = distillation_loss(student, None, targets, answer, head, kl_weight=0.0, lm_weight=1.0)
    with_teacher = distillation_loss(student, teacher, targets, answer, head, kl_weight=0.0, lm_weight=1.0)
    assert float(alone.total.detach()) == float(with_teacher.total.detach())
    assert float(alone.kl) == 0.0
    torch.testing.assert_close(alone.total.detach(), F.cross_entropy(head.logits(student)[answer], targets).detach())


def test_the_answers_loss_ignores_query_tokens() -> None:
    student, _, head, answer = states()
    found = distillation_loss(student, None, torch.tensor([4, 4, 1]), answer, head, kl_weight=0.0, lm_weight=1.0)
    (gradient,) = torch.autograd.grad(found.total, student)
    assert gradient[~answer].abs().max() == 0
    assert gradient[answer].abs().max() > 0


def test_query_weight_lowers_the_share_of_query_positions() -> None:
    student, teacher, head, answer = states()
    targets = torch.tensor([4, 4, 1])
    rows = F.kl_div(F.log_softmax(head.logits(student), 1), F.softmax(head.logits(teacher), 1), reduction="none").sum(1)
    weights = torch.where(answer, 1.0, 0.25)
    found = distillation_loss(student, teacher, targets, answer, head, kl_weight=1.0, lm_weight=0.0, query_weight=0.25)
    torch.testing.assert_close(found.kl, ((rows * weights).sum() / weights.sum()).detach())


def test_positions_of_weight_zero_never_reach_the_output_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    student, teacher, head, answer = states()
    targets = torch.tensor([4, 4, 1])
    kl, lm = plain(student[answer], teacher[answer], head, torch.tensor([True] * 3), targets, 1.0)
    (expected,) = torch.autograd.grad(kl + lm, student)
    seen = []
    plainly = OutputHead.logits
    monkeypatch.setattr(OutputHead, "logits", lambda self, hidden: seen.append(len(hidden)) or plainly(self, hidden))
    found = distillation_loss(student, teacher, targets, answer, head, kl_weight=1.0, lm_weight=1.0, query_weight=0.0)
    assert seen == [3, 3]
    torch.testing.assert_close(found.total.detach(), (kl + lm).detach())
    torch.testing.assert_close(torch.autograd.grad(found.total, student)[0], expected)


def test_hidden_loss_is_relative_to_the_teacher_layer_by_layer() -> None:
    teacher = torch.stack([torch.full((2, 4), 1.0), torch.full((2, 4), 10.0)])
    assert float(hidden_loss(teacher, teacher)) == 0.0
    assert float(hidden_loss(1.1 * teacher, teacher)) == pytest.approx(0.01, rel=1e-4)
