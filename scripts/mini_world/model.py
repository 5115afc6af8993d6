"""A lean Llama: the same weights and logits as transformers' `LlamaForCausalLM`, with its attention within reach.

Training needs the attention mass of single rows ("guided attention"), which the library's fast kernels do not give.
Parameter names are the library's, so that a state dict moves over as it is.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclasses.dataclass(frozen=True)
class ModelShape:
    """Sizes of a model. `hidden` is the width of the feed-forward part, `window` the longest context in tokens."""

    vocabulary: int
    layers: int
    width: int
    heads: int
    hidden: int
    window: int
    rope_theta: float = 10_000.0
    norm_eps: float = 1e-5


@dataclasses.dataclass(frozen=True)
class Guidance:
    """Rows of one head whose attention should fall on given keys.

    documents, rows: (n,), which document and position; keys: (n, T) booleans, the right keys (at least one a row).
    """

    layer: int
    head: int
    documents: Tensor
    rows: Tensor
    keys: Tensor


class Norm(nn.Module):
    """Root-mean-square norm."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Return x scaled to unit root mean square, times the weight."""
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps))


class Attention(nn.Module):
    """Causal self-attention with rotary positions."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.q_proj = nn.Linear(shape.width, shape.width, bias=False)
        self.k_proj = nn.Linear(shape.width, shape.width, bias=False)
        self.v_proj = nn.Linear(shape.width, shape.width, bias=False)
        self.o_proj = nn.Linear(shape.width, shape.width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, guides: Sequence[Guidance]) -> tuple[Tensor, list[Tensor]]:
        """Return the output (B, T, d) and, per guide, minus the log attention mass on the right keys (n,)."""
        batch, length, width = x.shape

        def split(y: Tensor) -> Tensor:
            return y.view(batch, length, self.heads, width // self.heads).transpose(1, 2)

        query, key, value = split(self.q_proj(x)), split(self.k_proj(x)), split(self.v_proj(x))
        query, key = rotate(query, cos, sin), rotate(key, cos, sin)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        misses = [attention_miss(query[:, guide.head], key[:, guide.head], guide) for guide in guides]
        return self.o_proj(mixed.transpose(1, 2).reshape(batch, length, width)), misses


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the head vectors (B, H, T, d) by their positions, first half against second half."""
    half = x.shape[-1] // 2
    return x * cos + torch.cat((-x[..., half:], x[..., :half]), dim=-1) * sin


def attention_miss(query: Tensor, key: Tensor, guide: Guidance) -> Tensor:
    """Return minus the logarithm of the attention mass on the right keys, (n,) in nats; query, key: (B, T, d)."""
    scores = torch.einsum("nd,ntd->nt", query[guide.documents, guide.rows], key[guide.documents])
    scores = scores / math.sqrt(query.shape[-1])
    future = torch.arange(key.shape[1]) > guide.rows[:, None]
    total = scores.masked_fill(future, -math.inf).logsumexp(-1)
    return total - scores.masked_fill(~guide.keys, -math.inf).logsumexp(-1)


class FeedForward(nn.Module):
    """Gated feed-forward part (SwiGLU)."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.width, shape.hidden, bias=False)
        self.up_proj = nn.Linear(shape.width, shape.hidden, bias=False)
        self.down_proj = nn.Linear(shape.hidden, shape.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the gated transformation of x."""
        return self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    """One layer: attention and feed-forward part, each after a norm and added to its input."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.self_attn = Attention(shape)
        self.mlp = FeedForward(shape)
        self.input_layernorm = Norm(shape.width, shape.norm_eps)
        self.post_attention_layernorm = Norm(shape.width, shape.norm_eps)


class Body(nn.Module):
    """Embedding, layers, last norm."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocabulary, shape.width)
        self.layers = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = Norm(shape.width, shape.norm_eps)


class LeanLlama(nn.Module):
    """A small Llama with untied output layer."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.shape = shape
        self.model = Body(shape)
        self.lm_head = nn.Linear(shape.width, shape.vocabulary, bias=False)
        size = shape.width // shape.heads
        turns = 1.0 / (shape.rope_theta ** (torch.arange(0, size, 2, dtype=torch.int64).float() / size))
        angles = torch.outer(torch.arange(shape.window).float(), turns)
        angles = torch.cat((angles, angles), dim=-1)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def states(self, ids: Tensor, guides: Sequence[Guidance] = ()) -> tuple[Tensor, Tensor]:
        """Return the last states (B, T, d) and the mean guidance loss over all guides (0 without any)."""
        cos, sin = self.cos[: ids.shape[1]], self.sin[: ids.shape[1]]
        x = self.model.embed_tokens(ids)
        means: list[Tensor] = []
        for index, block in enumerate(self.model.layers):
            here = [guide for guide in guides if guide.layer == index and len(guide.rows)]
            mixed, misses = block.self_attn(block.input_layernorm(x), cos, sin, here)
            means.extend(miss.mean() for miss in misses)
            x = x + mixed
            x = x + block.mlp(block.post_attention_layernorm(x))
        return self.model.norm(x), torch.stack(means).sum() if means else x.new_zeros(())

    def forward(self, ids: Tensor) -> Tensor:
        """Return the logits (B, T, vocabulary)."""
        return self.lm_head(self.states(ids)[0])


def initialise(model: LeanLlama, generator: torch.Generator) -> None:
    """Draw the weights as the recipe wants: wide embeddings, small output layer, residual writers scaled by depth.

    Learning in context at this size hangs on it: embeddings with standard deviation 0.5, matrices 0.5 / sqrt(fan-in).
    The output layer starts as the embeddings, 25 times smaller, so that copying a word is one lesson for all words.
    """
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                parameter.fill_(1.0)
                continue
            std = 0.5 / math.sqrt(parameter.shape[1])
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                std /= math.sqrt(2 * model.shape.layers)
            elif name.startswith("model.embed_tokens"):
                std = 0.5
            parameter.normal_(0.0, std, generator=generator)
        model.lm_head.weight.copy_(model.model.embed_tokens.weight * 0.04)
