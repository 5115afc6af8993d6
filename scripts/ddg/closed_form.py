"""Gradient matching without a backward pass through the encoder.

Only the classifier's gradient is compared. For a classifier that is one linear layer on features z, the gradient of the
weighted cross entropy of texts of class c is sum_i w_i (p_i - e_c) z_i^T for the weights and sum_i w_i (p_i - e_c) for
the biases: features, which need no gradient, are enough. For a head of several layers the gradient is taken by autograd
through those layers only. The sole way back to the generator is through the weights w = softmax(-l / tau).
All arithmetic is in float64.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scripts.common.errors import UserError


class Matching(NamedTuple):
    """loss: mean over classes of 1 - cosine, differentiable in the losses; cosines, (C,): detached, one a class."""

    loss: Tensor
    cosines: Tensor


def text_weights(losses: Tensor, temperature: float) -> Tensor:
    """Return the weights softmax(-l / tau) of the texts of each class: losses (C, n) -> (C, n), rows sum to 1."""
    return F.softmax(-losses.double() / temperature, dim=-1)


def linear_gradients(features: Tensor, weights: Tensor, layer: nn.Linear) -> Tensor:
    """Return the gradient of each class' weighted cross entropy with respect to a linear classifier, in closed form.

    features: (C, n, d), row c of texts of class c; weights: (C, n); layer: d -> C. Returns (C, C * (d + 1)) float64,
    weight matrix first, then bias (without it, (C, C * d), if the layer has none). Differentiable in `weights`.
    """
    z = features.double()
    logits = z @ layer.weight.detach().double().T
    if layer.bias is not None:
        logits = logits + layer.bias.detach().double()
    n_classes = z.shape[0]
    residuals = logits.softmax(dim=-1) - torch.eye(n_classes, dtype=z.dtype, device=z.device)[:, None, :]
    weighted = residuals * weights.double().unsqueeze(-1)  # (C, n, C)
    parts = [(weighted.transpose(1, 2) @ z).flatten(1)]
    if layer.bias is not None:
        parts.append(weighted.sum(dim=1))
    return torch.cat(parts, dim=1)


def head_gradients(features: Tensor, weights: Tensor, head: nn.Module) -> Tensor:
    """Return the same for a head of several layers, by autograd through the head alone.

    Shapes as in `linear_gradients`; the columns follow `head.parameters()`. Differentiable in `weights`.
    """
    parameters = {name: value.detach().double().requires_grad_() for name, value in head.named_parameters()}
    rows = []
    for label, (z, own) in enumerate(zip(features.double(), weights.double())):
        logits = torch.func.functional_call(head, parameters, (z,))
        target = torch.full((len(z),), label, dtype=torch.long, device=z.device)
        loss = (own * F.cross_entropy(logits, target, reduction="none")).sum()
        grads = torch.autograd.grad(loss, list(parameters.values()), create_graph=weights.requires_grad)
        rows.append(torch.cat([grad.flatten() for grad in grads]))
    return torch.stack(rows)


def classifier_gradients(features: Tensor, weights: Tensor, head: nn.Module) -> Tensor:
    """Return (C, p) gradients of the classifier for each class: closed form if it is one linear layer.

    Raises `UserError` for values that are not finite.
    """
    take = linear_gradients if isinstance(head, nn.Linear) else head_gradients
    gradients = take(features, weights, head)
    if not torch.isfinite(gradients).all():
        raise UserError("learner: its classifier's gradient is not finite; lower the learner's learning_rate")
    return gradients


def match(real: Tensor, synthetic: Tensor) -> Matching:
    """Compare gradients class by class: real, synthetic (C, p). Loss = (1/C) sum_c (1 - cos(real_c, synthetic_c))."""
    cosines = F.cosine_similarity(real, synthetic, dim=1)
    return Matching((1 - cosines).mean(), cosines.detach())


def gradient_matching(
    real: Tensor, synthetic: Tensor, losses: Tensor, temperature: float, head: nn.Module, teacher_head: nn.Module
) -> Matching:
    """Return the gradient-matching loss of one step, differentiable in the generator's losses.

    real: (C, m, d) features of real texts from the student; synthetic: (C, n, d) features of generated texts from the
    teacher; losses: (C, n), the generator's loss of each generated text. head, teacher_head: their classifiers; the
    same module where there is no teacher.
    """
    uniform = real.new_full(real.shape[:2], 1 / real.shape[1], dtype=torch.float64)
    with torch.no_grad():
        wanted = classifier_gradients_detached(real, uniform, head)
    return match(wanted, classifier_gradients(synthetic, text_weights(losses, temperature), teacher_head))


def classifier_gradients_detached(features: Tensor, weights: Tensor, head: nn.Module) -> Tensor:
    """Return `classifier_gradients` without a graph behind them."""
    with torch.enable_grad():
        return classifier_gradients(features.detach(), weights.detach(), head).detach()
