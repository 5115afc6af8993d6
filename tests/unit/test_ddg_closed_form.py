"""The classifier's gradient in closed form and the gradient-matching loss."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from scripts.common.errors import UserError
from scripts.ddg.closed_form import (
    classifier_gradients,
    gradient_matching,
    head_gradients,
    linear_gradients,
    match,
    text_weights,
)
from tests.unit.ddg_tiny import learner, task

C, N, M, D = 3, 5, 7, 4


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def layer(seed: int = 1, bias: bool = True, n_classes: int = C) -> nn.Linear:
    made = nn.Linear(D, n_classes, bias=bias).double()
    with torch.no_grad():
        for place, value in enumerate(made.parameters()):
            value.copy_(draw(*value.shape, seed=seed + place))
    return made


def loss_at(losses: torch.Tensor, temperature: float = 1.0, head: nn.Module | None = None) -> torch.Tensor:
    head = head or layer()
    return gradient_matching(draw(C, M, D, seed=2), draw(C, N, D, seed=3), losses, temperature, head, head).loss


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("n_classes", "n"), [(2, 1), (3, 5), (7, 11)])
def test_closed_form_is_autograd_through_the_classifier(n_classes, n, bias):
    head, z, w = layer(bias=bias, n_classes=n_classes), draw(n_classes, n, D), draw(n_classes, n, seed=9).abs()
    found = linear_gradients(z, w, head)
    for label in range(n_classes):
        target = torch.full((n,), label)
        loss = (w[label] * F.cross_entropy(head(z[label]), target, reduction="none")).sum()
        wanted = torch.cat([grad.flatten() for grad in torch.autograd.grad(loss, list(head.parameters()))])
        assert torch.allclose(found[label], wanted, atol=1e-10, rtol=0)


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_gradient_is_that_of_autograd_through_the_whole_encoder(kind):
    given, made = task(), learner(kind).double()
    rows = made.encode(given.texts, 16)
    places = torch.tensor([given.rows_of(label)[:N] for label in range(C)])
    w = draw(C, N, seed=9).abs()
    with torch.no_grad():
        z = made.states(made.collate([rows[i] for i in places.flatten()]))[0].view(C, N, -1)
    found = classifier_gradients(z, w, made.head)
    for label in range(C):
        batch = made.collate([rows[i] for i in places[label]])
        loss = (w[label] * F.cross_entropy(made(batch), torch.full((N,), label), reduction="none")).sum()
        grads = torch.autograd.grad(loss, list(made.head.parameters()))
        assert torch.allclose(found[label], torch.cat([g.flatten() for g in grads]), atol=1e-10, rtol=0)


def test_linear_layer_gives_the_same_through_autograd():
    z, w, head = draw(C, N, D), draw(C, N, seed=4).abs().requires_grad_(), layer()
    closed, by_autograd = linear_gradients(z, w, head), head_gradients(z, w, head)
    assert torch.allclose(closed, by_autograd, atol=1e-12)
    direction = draw(*closed.shape, seed=5)
    one, other = (torch.autograd.grad((g * direction).sum(), w)[0] for g in (closed, by_autograd))
    assert torch.allclose(one, other, atol=1e-12)


def test_cosine_does_not_feel_scale_nor_order_nor_doubling():
    z, w, head = draw(C, N, D), draw(C, N, seed=4).abs(), layer()
    real = linear_gradients(draw(C, M, D, seed=2), torch.full((C, M), 1 / M), head)
    wanted = match(real, linear_gradients(z, w, head)).cosines
    order = torch.tensor([3, 1, 4, 0, 2])
    twice = torch.cat([z, z], dim=1), torch.cat([w, w], dim=1) / 2
    for other in (
        linear_gradients(z, 7 * w, head),
        3 * linear_gradients(z, w, head),
        linear_gradients(z[:, order], w[:, order], head),
        linear_gradients(*twice, head),
    ):
        assert torch.allclose(match(real, other).cosines, wanted, atol=1e-12)
    assert torch.allclose(linear_gradients(*twice, head), linear_gradients(z, w, head), atol=1e-12)


def test_the_real_batch_itself_with_uniform_weights_has_loss_zero():
    z, head = draw(C, M, D, seed=2), layer()
    found = gradient_matching(z, z, draw(C, M, seed=6), 1e12, head, head)
    assert torch.allclose(found.cosines, torch.ones(C, dtype=torch.float64), atol=1e-9)
    assert float(found.loss) == pytest.approx(0, abs=1e-9)


def test_a_low_temperature_takes_the_likeliest_text():
    losses = draw(C, N, seed=6)
    assert torch.allclose(text_weights(losses, 1e-4), F.one_hot(losses.argmin(dim=1), N).double(), atol=1e-12)


def test_weights_sum_to_one_and_ignore_a_constant():
    losses = draw(C, N, seed=6)
    assert torch.allclose(text_weights(losses, 0.7).sum(dim=1), torch.ones(C, dtype=torch.float64))
    assert torch.allclose(text_weights(losses + 5, 0.7), text_weights(losses, 0.7), atol=1e-12)


@pytest.mark.parametrize("temperature", [1.0, 0.3])
def test_gradient_in_the_losses_is_that_of_finite_differences_and_sums_to_zero(temperature):
    losses = draw(C, N, seed=6).requires_grad_()
    (found,) = torch.autograd.grad(loss_at(losses, temperature), losses)
    assert found.abs().max() > 1e-4
    assert torch.allclose(found.sum(dim=1), torch.zeros(C, dtype=torch.float64), atol=1e-12)
    step = 1e-6
    for label in range(C):
        for place in range(N):
            moved = torch.zeros_like(losses)
            moved[label, place] = step
            at = losses.detach()
            slope = (loss_at(at + moved, temperature) - loss_at(at - moved, temperature)) / (2 * step)
            assert float(found[label, place]) == pytest.approx(float(slope), abs=1e-8)


def test_gradient_in_the_losses_by_hand():
    """With a_i = dL/dw_i, dL/dl_j = (1/tau) w_j (sum_i w_i a_i - a_j)."""
    losses, temperature, head = draw(C, N, seed=6).requires_grad_(), 0.5, layer()
    real = linear_gradients(draw(C, M, D, seed=2), torch.full((C, M), 1 / M), head)
    w = text_weights(losses.detach(), temperature).requires_grad_()
    (a,) = torch.autograd.grad(match(real, linear_gradients(draw(C, N, D, seed=3), w, head)).loss, w)
    (found,) = torch.autograd.grad(loss_at(losses, temperature), losses)
    wanted = w * ((w * a).sum(dim=1, keepdim=True) - a) / temperature
    assert torch.allclose(found, wanted, atol=1e-12)


def test_a_single_text_of_a_class_moves_nothing():
    losses = draw(C, 1, seed=6).requires_grad_()
    head = layer()
    loss = gradient_matching(draw(C, M, D, seed=2), draw(C, 1, D, seed=3), losses, 1.0, head, head).loss
    (found,) = torch.autograd.grad(loss, losses)
    assert torch.equal(found, torch.zeros_like(found))


def test_swapping_classes_everywhere_changes_nothing():
    head, swapped, order = layer(), layer(), torch.tensor([2, 0, 1])
    with torch.no_grad():
        swapped.weight.copy_(head.weight[order])
        swapped.bias.copy_(head.bias[order])
    real, synthetic, losses = draw(C, M, D, seed=2), draw(C, N, D, seed=3), draw(C, N, seed=6)
    one = gradient_matching(real, synthetic, losses, 1.0, head, head)
    other = gradient_matching(real[order], synthetic[order], losses[order], 1.0, swapped, swapped)
    assert float(one.loss) == pytest.approx(float(other.loss), abs=1e-12)
    assert torch.allclose(one.cosines[order], other.cosines, atol=1e-12)


def test_backward_class_by_class_is_one_backward():
    losses = draw(C, N, seed=6).requires_grad_()
    (at_once,) = torch.autograd.grad(loss_at(losses), losses)
    head = layer()
    real = linear_gradients(draw(C, M, D, seed=2), torch.full((C, M), 1 / M), head)
    total = torch.zeros_like(losses)
    for label in range(C):
        synthetic = linear_gradients(draw(C, N, D, seed=3), text_weights(losses, 1.0), head)
        loss = (1 - F.cosine_similarity(real[label], synthetic[label], dim=0)) / C
        total += torch.autograd.grad(loss, losses)[0]
    assert torch.allclose(at_once, total, atol=1e-12)


def test_teacher_and_student_enter_where_they_should():
    student, teacher = layer(1), layer(8)
    real, synthetic, losses = draw(C, M, D, seed=2), draw(C, N, D, seed=3), draw(C, N, seed=6)
    found = gradient_matching(real, synthetic, losses, 1.0, student, teacher).cosines
    wanted = match(
        linear_gradients(real, torch.full((C, M), 1 / M), student),
        linear_gradients(synthetic, text_weights(losses, 1.0), teacher),
    ).cosines
    assert torch.allclose(found, wanted, atol=1e-12)
    assert not torch.allclose(found, gradient_matching(real, synthetic, losses, 1.0, student, student).cosines)


def test_values_that_are_not_finite_are_refused():
    with pytest.raises(UserError, match="gradient is not finite"):
        classifier_gradients(draw(C, N, D) * torch.inf, torch.ones(C, N), layer())
