"""Log-probabilities of given tokens from hidden states, without ever building a matrix of logits.

The output layer is the dearest part of scoring. It runs in tiles of positions x words that stay in the processor's
cache; each tile is reduced at once to sums of powers of two (faster than powers of e), so memory does not depend on the
size of the vocabulary.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

LOG2_E = math.log2(math.e)
# Exponents of two within +-SAFE_EXPONENT can be summed over any vocabulary in float32 without a running maximum.
SAFE_EXPONENT = 96.0
CPU_TILE = (2048, 512)  # positions x words; fastest of those tried on CPUs with 1-2 MiB of second-level cache
CUDA_TILE = (4096, 8192)


@dataclass(frozen=True)
class OutputLayer:
    """A linear output layer: `weight` (words, width), `bias` (words,) or None, and the largest length of a weight row.

    scale: what hidden states are multiplied by before the layer, see `output_scale`. cap: the logits are
    cap * tanh(logits / cap), None leaves them (Gemma 2).
    """

    weight: Tensor
    bias: Tensor | None
    max_norm: float
    max_bias: float
    scale: float = 1.0
    cap: float | None = None

    @classmethod
    def of(
        cls, weight: Tensor, bias: Tensor | None = None, scale: float = 1.0, cap: float | None = None
    ) -> OutputLayer:
        """Wrap a layer's tensors; they are not copied, so make a new one when they change."""
        with torch.no_grad():
            max_norm = float(weight.norm(dim=1).max())
            max_bias = 0.0 if bias is None else float(bias.abs().max())
        return cls(weight, bias, max_norm, max_bias, scale, cap)

    def capped(self, logits: Tensor) -> Tensor:
        """Return logits within +-cap; they may be changed in place."""
        return logits if self.cap is None else logits.div_(self.cap).tanh_().mul_(self.cap)


def output_scale(config: Any) -> float:
    """Return what a model multiplies its hidden states by before its output layer.

    1 / sqrt(width) in a T5 with a tied head, the inverse of `logits_scaling` in Granite, else 1.
    """
    if config.is_encoder_decoder and getattr(config, "scale_decoder_outputs", False):
        return config.d_model**-0.5
    return 1.0 / (getattr(config, "logits_scaling", None) or 1.0)


def output_cap(config: Any) -> float | None:
    """Return the bound that a model's logits are soft-capped to (Gemma 2), None where they are not."""
    return getattr(config, "final_logit_softcapping", None)


@torch.no_grad()
def token_logprobs(hidden: Tensor, targets: Tensor, layer: OutputLayer, tile: tuple[int, int] | None = None) -> Tensor:
    """Return the log-probability of each target word given its hidden state.

    hidden: (n, width) in the layer's dtype; targets: (n,) word ids. tile: positions x words per step, by device if
    None. Returns (n,) float32, in nats.
    """
    if hidden.shape[0] == 0:
        return torch.zeros(0, dtype=torch.float32, device=hidden.device)
    if layer.scale != 1.0:
        hidden = hidden * layer.scale
    rows, words = tile or (CUDA_TILE if hidden.is_cuda else CPU_TILE)
    parts = [log_sum_exp(hidden[at : at + rows], layer, words) for at in range(0, hidden.shape[0], rows)]
    return _target_logits(hidden, targets, layer) - torch.cat(parts)


def log_sum_exp(hidden: Tensor, layer: OutputLayer, words: int) -> Tensor:
    """Return log(sum over the vocabulary of exp(logit)) for each hidden state, (n,) float32 in nats.

    A running maximum and sum over tiles of `words` words. Where the lengths of the vectors bound every logit well
    within float32's range (Cauchy-Schwarz), the maximum is not needed and is left out.
    """
    bound = (float(hidden.float().norm(dim=1).max()) * layer.max_norm + layer.max_bias) * LOG2_E
    safe = bound < SAFE_EXPONENT
    # Powers of two at once where nothing stands between product and exponent.
    exact = hidden.dtype == torch.float32 and layer.cap is None
    if exact:
        hidden = hidden * LOG2_E
    columns = layer.weight.t()
    n = hidden.shape[0]
    buffer = torch.empty(n * min(words, columns.shape[1]), dtype=torch.float32, device=hidden.device)
    total = torch.zeros(n, dtype=torch.float32, device=hidden.device)
    peak = torch.full_like(total, -math.inf)
    for at in range(0, columns.shape[1], words):
        block = columns[:, at : at + words]
        tile = _product(hidden, block, buffer[: n * block.shape[1]].view(n, -1))
        if layer.bias is not None:
            tile.add_(layer.bias[at : at + words].float() * (LOG2_E if exact else 1.0))
        if not exact:
            tile = layer.capped(tile).mul_(LOG2_E)
        if not safe:
            higher = torch.maximum(peak, tile.amax(dim=1))
            total.mul_(torch.exp2(peak - higher))
            tile.sub_(higher[:, None])
            peak = higher
        total.add_(tile.exp2_().sum(dim=1))
    powers = total.log2() if safe else total.log2() + peak
    return powers / LOG2_E


def _product(hidden: Tensor, block: Tensor, out: Tensor) -> Tensor:
    """Return hidden @ block in float32; half precision is multiplied with float32 results where the device can."""
    if hidden.dtype == torch.float32:
        return torch.mm(hidden, block, out=out)
    if hidden.is_cuda:
        return torch.mm(hidden, block, out_dtype=torch.float32)
    return out.copy_(torch.mm(hidden, block))


def _target_logits(hidden: Tensor, targets: Tensor, layer: OutputLayer) -> Tensor:
    """Return the logit of each target word, (n,) float32, in slices that keep the gathered weights small."""
    parts = []
    for at in range(0, hidden.shape[0], 4096):
        ids = targets[at : at + 4096]
        logits = (hidden[at : at + 4096].float() * layer.weight[ids].float()).sum(dim=1)
        parts.append(layer.capped(logits if layer.bias is None else logits + layer.bias[ids].float()))
    return torch.cat(parts)
