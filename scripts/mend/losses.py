"""Losses of MEND: distillation (KL), language modelling, hidden states (section 3).

The output layer and the divergence are computed position chunk by position chunk, gradients included: no matrix of
positions x vocabulary is ever kept, for the teacher or for the student. The large model is frozen, so the only gradient
that leaves here is that of the student's hidden states.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor


@dataclasses.dataclass(frozen=True)
class OutputHead:
    """A frozen linear output layer: weight (words, width), bias (words,) or None, scale of the hidden states."""

    weight: Tensor
    bias: Tensor | None = None
    scale: float = 1.0

    def logits(self, hidden: Tensor) -> Tensor:
        """Return float32 logits (n, words) of hidden states (n, width)."""
        logits = torch.nn.functional.linear(hidden * self.scale, self.weight, self.bias)
        return logits.float()


@dataclasses.dataclass(frozen=True)
class LossSums:
    """Values of one batch: total (with gradient), and its parts in nats a token, detached."""

    total: Tensor
    kl: Tensor
    lm: Tensor


class _ChunkedLoss(torch.autograd.Function):
    """sum_i kl_weights_i * KL(teacher_i || student_i) + lm_weights_i * CE_i, with its gradient computed on the way."""

    @staticmethod
    def forward(
        context: Any,
        student: Tensor,
        teacher: Tensor | None,
        targets: Tensor,
        kl_weights: Tensor,
        lm_weights: Tensor,
        head: OutputHead,
        temperature: float,
        chunk: int,
    ) -> Tensor:
        """Return (KL part, LM part), each weighted and summed."""
        with_lm = bool(lm_weights.any())
        gradient = torch.empty_like(student)
        parts = student.new_zeros(2, dtype=torch.float32)
        for start in range(0, student.shape[0], chunk):
            part = slice(start, start + chunk)
            logits = head.logits(student[part])
            slope = torch.zeros_like(logits)
            if teacher is not None:
                weights = kl_weights[part, None]
                ours = (logits / temperature).log_softmax(1)
                theirs = (head.logits(teacher[part]) / temperature).log_softmax(1)
                right = theirs.exp()
                parts[0] += (weights * right * (theirs - ours)).sum()
                slope += weights / temperature * (ours.exp() - right)
            if with_lm:
                weights = lm_weights[part, None]
                ours = logits.log_softmax(1)
                index = targets[part, None]
                parts[1] -= (weights * ours.gather(1, index)).sum()
                slope += weights * ours.exp()
                slope.scatter_add_(1, index, -weights)
            gradient[part] = (slope.to(head.weight.dtype) @ head.weight * head.scale).to(student.dtype)
        context.save_for_backward(gradient)
        return parts

    @staticmethod
    def backward(context: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        """Hand the stored gradient on; both parts are summed by the caller, so their slopes are equal."""
        (gradient,) = context.saved_tensors
        return (gradient * slopes[0][0].to(gradient.dtype), *[None] * 7)


def distillation_loss(
    student: Tensor,
    teacher: Tensor | None,
    targets: Tensor,
    is_answer: Tensor,
    head: OutputHead,
    *,
    kl_weight: float,
    lm_weight: float,
    temperature: float = 1.0,
    query_weight: float = 1.0,
    chunk: int = 256,
) -> LossSums:
    """Return kl_weight * KL(teacher || student) + lm_weight * cross entropy of the answers.

    student, teacher: (n, width) states of query and answer positions; teacher None where kl_weight is 0. is_answer:
    (n,) whether a state predicts an answer token; targets: (m,) ids of those tokens. The KL is the mean over all n
    positions (the release's `batchmean` over tokens: a long query weighs more than a short one in the same batch),
    both distributions at `temperature`; query_weight: weight of the positions that predict no answer (1 in the paper).
    The cross entropy is the mean over the m answer tokens. chunk: positions computed at once; memory, never results.
    """
    ones = torch.ones(len(is_answer), dtype=torch.float32, device=student.device)
    kl_shares = torch.where(is_answer, ones, ones * query_weight)
    kl_shares = kl_shares / kl_shares.sum() * kl_weight
    lm_shares = is_answer.float() / is_answer.sum().clamp(min=1) * lm_weight  # a text may end behind its first token
    places = torch.zeros(len(is_answer), dtype=torch.long, device=student.device)
    places[is_answer] = targets
    given = teacher if kl_weight else None
    counted = (kl_shares > 0) | (lm_shares > 0)
    if not bool(counted.all()):  # the output layer is the dear part: no work for positions of weight 0
        student, places, kl_shares, lm_shares = (one[counted] for one in (student, places, kl_shares, lm_shares))
        given = None if given is None else given[counted]
    parts = _ChunkedLoss.apply(student, given, places, kl_shares, lm_shares, head, temperature, chunk)
    values = parts.detach()
    return LossSums(parts.sum(), values[0] / (kl_weight or 1.0), values[1] / (lm_weight or 1.0))


def hidden_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the mean squared difference of the states of all layers, (layers, n, width) each (the ablation L_hidn).

    # DEVIATION: the release has no such loss and the paper's text could not be consulted; all layers weigh the same,
    # and differences are relative to the teacher's mean square, so that deep layers with large states do not dominate.
    """
    scale = teacher.float().pow(2).mean(dim=(1, 2), keepdim=True).clamp(min=1e-12)
    return ((student.float() - teacher.float()).pow(2) / scale).mean()
