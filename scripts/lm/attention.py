"""Attention for rows of continuations that share one prefix: each token sees the prefix and its own continuation.

The function is registered with transformers' attention interface, so the models' own layers run around it unchanged.
The prefix's keys and values are never repeated per batch; continuations of a row never see each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from scripts.lm.packing import Group

NAME = "shared_prefix"
CPU_QUERY_BLOCK = 64  # queries per call: later keys that a block cannot see are not even multiplied
LONG_PREFIX = 512  # prefix tokens from which on a group looks at the prefix and at itself apart: nothing is repeated
SHORT_OWN = 16  # on CPUs a group of continuations of at most so many tokens does so from SHORT_PREFIX tokens on, where
SHORT_PREFIX = 32  # copies of the prefix cost more than the attention: twice as fast behind 256 tokens (float32)
SCORE_BLOCK = 1 << 20  # attention scores held at once on that way


@dataclass(frozen=True)
class SharedPrefix:
    """What the attention of one row needs: the prefix's keys and values by layer, (1, key heads, prefix tokens, head
    width) each (none without a prefix), the row's groups, and the additive mask that all groups cut their part from.
    near: the layers whose tokens do not see all of this because of a sliding window, near_mask: theirs, for the keys
    within reach.
    """

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]
    groups: tuple[Group, ...]
    mask: Tensor
    near: frozenset[int] = frozenset()
    near_mask: Tensor | None = None


def causal_mask(n_prefix: int, n_own: int, like: Tensor, reach: int | None = None) -> Tensor:
    """Return (n_own, n_prefix + n_own): 0 where own token i may look (the prefix, own tokens <= i), -inf elsewhere.

    reach: with a sliding window, how many tokens back a token sees, itself included.
    """
    hidden = torch.full((n_own, n_prefix + n_own), float("-inf"), dtype=like.dtype, device=like.device)
    mask = hidden.triu(n_prefix + 1)
    return mask if reach is None else mask + hidden.tril(n_prefix - reach)


def register() -> None:
    """Make the function known to transformers under `NAME`. No mask function goes with it: none is needed."""
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    ALL_ATTENTION_FUNCTIONS.register(NAME, shared_prefix_attention)


def shared_prefix_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    shared_prefix: SharedPrefix | None = None,
    softcap: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attend within a row. query: (1, heads, tokens, width), key, value: (1, key heads, tokens, width).

    softcap: scores are softcap * tanh(scores / softcap) before the softmax (Gemma 2); None leaves them.
    Returns (1, tokens, heads, width) and no weights, as transformers' attention interface asks.
    """
    if shared_prefix is None or attention_mask is not None:
        raise ValueError("shared_prefix attention runs only inside the scorer, without a mask")
    repeats = query.shape[1] // key.shape[1]
    prefix_keys = prefix_values = None
    if shared_prefix.keys:
        prefix_keys = shared_prefix.keys[module.layer_idx]
        prefix_values = shared_prefix.values[module.layer_idx]
    slides = module.layer_idx in shared_prefix.near
    mask = shared_prefix.near_mask if slides else shared_prefix.mask
    how = _How(mask, scaling, softcap, whole=not slides)
    output = torch.empty(1, query.shape[2], query.shape[1], value.shape[3], dtype=query.dtype, device=query.device)
    single = _Joined(prefix_keys, prefix_values, key, value, max(group.length for group in shared_prefix.groups))
    for group in shared_prefix.groups:
        part = slice(group.start, group.start + group.tokens)
        if group.index is None:
            keys, values = single.with_own(key[:, :, part], value[:, :, part])
            _attend(query[:, :, part], keys, values, how, repeats, output[:, part])
        else:
            padded = _attend_group(group, query, key, value, (prefix_keys, prefix_values), how)
            torch.index_select(padded, 0, group.kept, out=output[0, part])
    return output, None


@dataclass(frozen=True)
class _How:
    """How one layer attends: additive mask, scale and soft cap of its scores, whether all tokens see all the prefix.

    scaling: None for the usual one, the inverse root of a head's width.
    """

    mask: Tensor
    scaling: float | None
    softcap: float | None
    whole: bool

    def scaled(self, queries: Tensor) -> Tensor:
        """Return queries times the scale."""
        return queries * (queries.shape[-1] ** -0.5 if self.scaling is None else self.scaling)

    def capped(self, scores: Tensor) -> Tensor:
        """Return scores within +-softcap; they may be changed in place."""
        return scores if self.softcap is None else scores.div_(self.softcap).tanh_().mul_(self.softcap)


class _Joined:
    """A buffer of prefix keys and values with room behind them for one continuation after the other."""

    def __init__(
        self, prefix_keys: Tensor | None, prefix_values: Tensor | None, key: Tensor, value: Tensor, room: int
    ) -> None:
        self.start = 0 if prefix_keys is None else prefix_keys.shape[2]
        self.keys = key.new_empty(1, key.shape[1], self.start + room, key.shape[3])
        self.values = value.new_empty(1, value.shape[1], self.start + room, value.shape[3])
        if prefix_keys is not None:
            self.keys[:, :, : self.start] = prefix_keys
            self.values[:, :, : self.start] = prefix_values

    def with_own(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Return prefix + own keys and values; the next call overwrites them."""
        end = self.start + key.shape[2]
        self.keys[:, :, self.start : end] = key
        self.values[:, :, self.start : end] = value
        return self.keys[:, :, :end], self.values[:, :, :end]


def _attend_group(
    group: Group,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    prefix: tuple[Tensor | None, Tensor | None],
    how: _How,
) -> Tensor:
    """Attend within several continuations of nearly equal length at once, padded on the right to the longest.

    Returns (count * length, heads, width), padding included.
    """
    shape = (group.count, group.length)
    q, k, v = (_gather(states, group.index, shape) for states in (query, key, value))
    if prefix[0] is not None and prefix[1] is not None and _apart(group, prefix[0].shape[2], how, query.is_cuda):
        return _attend_apart(q, k, v, prefix[0][0], prefix[1][0], how).flatten(0, 1)
    if prefix[0] is not None and prefix[1] is not None:
        k = torch.cat([prefix[0].expand(group.count, -1, -1, -1), k], dim=2)
        v = torch.cat([prefix[1].expand(group.count, -1, -1, -1), v], dim=2)
    padded = q.new_empty(*shape, q.shape[1], v.shape[3])
    _attend(q, k, v, how, query.shape[1] // key.shape[1], padded)
    return padded.flatten(0, 1)


def _apart(group: Group, n_prefix: int, how: _How, on_gpu: bool) -> bool:
    """Return whether a group looks at the prefix apart, instead of at a copy of it for each continuation."""
    short = group.length <= SHORT_OWN and not on_gpu
    return how.whole and n_prefix >= (SHORT_PREFIX if short else LONG_PREFIX)


def _attend_apart(q: Tensor, k: Tensor, v: Tensor, prefix_k: Tensor, prefix_v: Tensor, how: _How) -> Tensor:
    """Attend to prefix and own tokens apart and join both under one softmax: the prefix is never repeated.

    q: (count, heads, length, width), k, v: (count, key heads, length, width), prefix_k, prefix_v: (key heads, prefix
    tokens, width). Returns (count, length, heads, width).
    """
    n_keys, length = k.shape[1], q.shape[2]
    hidden = torch.ones(length, length, dtype=torch.bool, device=q.device).triu_(1)
    output = q.new_empty(q.shape[0], length, q.shape[1], v.shape[3])
    size = max(1, SCORE_BLOCK // (q.shape[1] * length * prefix_k.shape[1]))
    for start in range(0, q.shape[0], size):
        part = slice(start, start + size)
        mine = how.scaled(q[part]).unflatten(1, (n_keys, -1))  # (count, key heads, heads a key head, length, width)
        rows = mine.transpose(0, 1).flatten(1, 3)  # (key heads, all of these, width)
        before = how.capped((rows @ prefix_k.transpose(1, 2)).float())
        own = how.capped((mine @ k[part].unsqueeze(2).transpose(-1, -2)).float()).masked_fill_(hidden, float("-inf"))
        shape = (n_keys, *mine.shape[:1], *mine.shape[2:4], -1)
        top = torch.maximum(before.amax(-1).view(shape[:-1]).transpose(0, 1), own.amax(-1))[..., None]
        before = before.view(shape).sub_(top.transpose(0, 1)).exp_()
        own = own.sub_(top).exp_()
        total = before.sum(-1, keepdim=True).transpose(0, 1) + own.sum(-1, keepdim=True)
        seen = (before.flatten(1, 3).to(v.dtype) @ prefix_v).view(*shape[:-1], -1).transpose(0, 1)
        seen = seen + own.to(v.dtype) @ v[part].unsqueeze(2)
        output[part] = (seen / total).to(v.dtype).flatten(1, 2).transpose(1, 2)
    return output


def _gather(states: Tensor, index: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return (count, heads, length, width) from a row's (1, heads, tokens, width)."""
    return states[0].index_select(1, index).unflatten(1, shape).transpose(0, 1)


def _attend(q: Tensor, k: Tensor, v: Tensor, how: _How, repeats: int, output: Tensor) -> None:
    """Fill output (count, length, heads, width): each token sees prefix and own tokens as far as the mask allows."""
    n_own, n_prefix = q.shape[2], k.shape[2] - q.shape[2]
    if q.is_cuda and repeats > 1:  # masked attention on CUDA has no fast way to group heads
        k, v, repeats = k.repeat_interleave(repeats, dim=1), v.repeat_interleave(repeats, dim=1), 1
    block = n_own if q.is_cuda else CPU_QUERY_BLOCK
    for start in range(0, n_own, block):
        end = min(n_own, start + block)
        seen = n_prefix + end
        attend = F.scaled_dot_product_attention if how.softcap is None else partial(_capped_attention, how=how)
        result = attend(
            q[:, :, start:end],
            k[:, :, :seen],
            v[:, :, :seen],
            attn_mask=how.mask[start:end, :seen],
            scale=how.scaling,
            enable_gqa=repeats > 1,
        )
        output[:, start:end] = result.transpose(1, 2)


def _capped_attention(
    q: Tensor, k: Tensor, v: Tensor, *, attn_mask: Tensor, scale: float | None, enable_gqa: bool, how: _How
) -> Tensor:
    """Attend as torch's fused function does, with scores soft-capped, which that cannot."""
    if enable_gqa:
        repeats = q.shape[1] // k.shape[1]
        k, v = k.repeat_interleave(repeats, dim=1), v.repeat_interleave(repeats, dim=1)
    scores = how.capped(how.scaled(q) @ k.transpose(-1, -2)).float() + attn_mask
    return scores.softmax(dim=-1).to(v.dtype) @ v
