"""Many small T5 models of one shape, computed together: every weight has a leading dimension for the run.

At a few hundred thousand parameters a training step's time is spent on starting operations, not on arithmetic. Here one
operation serves all runs (seeds, sizes of the training set, label sources), as a batched matrix product. Each run's
numbers are those of transformers' `T5ForConditionalGeneration` with the same weights (T5 v1.1: gated GELU, no dropout),
and no run touches another.
"""

from __future__ import annotations

import math
from typing import Any, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from scripts.common.errors import UserError

MASKED = -100  # label of a place that takes no part in the loss
SHORT = 16  # numbers in a row below which torch's softmax is slow on CPUs


class T5Stack:
    """`n_runs` copies of one T5, to be trained apart but computed together.

    config: the model's `T5Config`. weights: its state dict; every run starts from these.
    Raises `UserError` for a shape this class does not compute (other activations, dropout).
    """

    def __init__(self, config: Any, weights: Mapping[str, Tensor], n_runs: int) -> None:
        if config.dense_act_fn != "gelu_new" or not config.is_gated_act:
            raise UserError(
                f"model: feed_forward_proj '{config.feed_forward_proj}' cannot be stacked; use gated-gelu (T5 v1.1)"
            )
        if config.dropout_rate:
            raise UserError(
                "model: dropout_rate above 0 cannot be stacked; set dropout to 0 or train the runs one by one"
            )
        self.config = config
        self.n_runs = n_runs
        self.heads = config.num_heads
        self.tied = "lm_head.weight" not in weights or torch.equal(weights["lm_head.weight"], weights["shared.weight"])
        fused = fuse_weights(weights, tied=self.tied)
        self.weights = {
            name: value.detach().float().unsqueeze(0).repeat(n_runs, *[1] * value.dim()).requires_grad_()
            for name, value in fused.items()
        }

    def parameters(self) -> list[Tensor]:
        """Return the trainable tensors, each (n_runs, ...)."""
        return list(self.weights.values())

    def state_dict(self, run: int) -> dict[str, Tensor]:
        """Return one run's weights under transformers' names."""
        return split_weights({name: value[run].detach() for name, value in self.weights.items()})

    # ---- the network -------------------------------------------------------------------------------------------------

    def encode(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return the encoder's states (runs, rows, width, d) for ids and mask (runs, rows, width)."""
        width = ids.shape[2]
        bias = self._position_bias("encoder", width, bidirectional=True) + _additive(mask)
        states = self._embed(ids)
        for layer in range(self.config.num_layers):
            states = self._self_attention(f"encoder.{layer}", states, bias)
            states = self._feed_forward(f"encoder.{layer}", states)
        return self._norm("encoder.final", states)

    def memory(self, states: Tensor) -> list[tuple[Tensor, ...]]:
        """Return the keys and values that each decoder layer makes of the encoder's states."""
        weights = (self.weights[f"decoder.{layer}.cross.kv"] for layer in range(self.config.num_decoder_layers))
        return [self._split_heads(self._product(states, weight), 2) for weight in weights]

    def decode(self, ids: Tensor, memory: Sequence[tuple[Tensor, ...]], mask: Tensor) -> Tensor:
        """Return the decoder's states (runs, rows, width, d).

        ids begin with the start token; memory: what `memory` makes of the encoder's states; mask: the encoder's.
        """
        width = ids.shape[2]
        causal = torch.full((width, width), torch.finfo(torch.float32).min).triu(1)
        bias = self._position_bias("decoder", width, bidirectional=False) + causal
        cross = _additive(mask)
        hidden = self._embed(ids)
        for layer in range(self.config.num_decoder_layers):
            hidden = self._self_attention(f"decoder.{layer}", hidden, bias)
            hidden = self._cross_attention(f"decoder.{layer}", hidden, memory[layer], cross)
            hidden = self._feed_forward(f"decoder.{layer}", hidden)
        return self._norm("decoder.final", hidden)

    def logits(self, hidden: Tensor) -> Tensor:
        """Return the scores of all words (runs, rows, width, words)."""
        if self.config.scale_decoder_outputs:
            hidden = hidden * self.config.d_model**-0.5
        head = self.weights["shared" if self.tied else "head"]
        return self._product(hidden, head.transpose(1, 2))

    def label_losses(self, states: Tensor, mask: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return each run's summed loss in nats (runs,) and number of labels (runs,) for labels (runs, rows, width)."""
        start = torch.full_like(labels[:, :, :1], self.config.decoder_start_token_id)
        before = torch.cat([start, labels[:, :, :-1]], dim=2).masked_fill_(
            torch.cat([start, labels[:, :, :-1]], dim=2) == MASKED, self.config.pad_token_id
        )
        scores = self.logits(self.decode(before, self.memory(states), mask))
        nats = functional.cross_entropy(
            scores.flatten(0, 2), labels.flatten(), ignore_index=MASKED, reduction="none"
        ).view(self.n_runs, -1)
        return nats.sum(1), (labels != MASKED).flatten(1).sum(1)

    @torch.no_grad()
    def generate(self, ids: Tensor, mask: Tensor, longest: int, end: int) -> Tensor:
        """Return the likeliest tokens, one after another, (runs, rows, <= longest); behind `end` stands the pad token.

        The few tokens before are computed anew for each one: at these lengths a cache costs more than it saves.
        """
        memory = self.memory(self.encode(ids, mask))
        runs, rows = ids.shape[:2]
        written = torch.full((runs, rows, 1), self.config.decoder_start_token_id, dtype=torch.long)
        done = torch.zeros(runs, rows, dtype=torch.bool)
        for _ in range(longest):
            hidden = self.decode(written, memory, mask)[:, :, -1:]
            chosen = self.logits(hidden)[:, :, 0].argmax(-1).masked_fill(done, self.config.pad_token_id)
            written = torch.cat([written, chosen.unsqueeze(2)], dim=2)
            done |= chosen == end
            if done.all():
                break
        return written[:, :, 1:]

    # ---- its parts ---------------------------------------------------------------------------------------------------

    def _product(self, states: Tensor, weight: Tensor) -> Tensor:
        """Multiply (runs, rows, width, d) by (runs, d, out)."""
        runs, rows, width, size = states.shape
        return torch.bmm(states.reshape(runs, rows * width, size), weight).view(runs, rows, width, -1)

    def _embed(self, ids: Tensor) -> Tensor:
        table = self.weights["shared"]
        offsets = torch.arange(self.n_runs).view(-1, 1, 1) * table.shape[1]
        return functional.embedding(ids + offsets, table.reshape(-1, table.shape[2]))

    def _norm(self, name: str, states: Tensor) -> Tensor:
        scaled = states * torch.rsqrt(states.square().mean(-1, keepdim=True) + self.config.layer_norm_epsilon)
        return scaled * self.weights[f"{name}.norm"][:, None, None, :]

    def _split_heads(self, states: Tensor, parts: int) -> tuple[Tensor, ...]:
        """Turn (runs, rows, width, parts * heads * size) into `parts` tensors (runs, rows, heads, width, size)."""
        runs, rows, width, _ = states.shape
        return states.view(runs, rows, width, parts, self.heads, -1).permute(3, 0, 1, 4, 2, 5).unbind(0)

    def _attend(self, name: str, query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
        shares = softmax(query @ key.transpose(-1, -2) + bias)
        mixed = (shares @ value).transpose(2, 3)
        return self._product(mixed.flatten(3), self.weights[f"{name}.o"])

    def _self_attention(self, name: str, states: Tensor, bias: Tensor) -> Tensor:
        normed = self._norm(f"{name}.self", states)
        query, key, value = self._split_heads(self._product(normed, self.weights[f"{name}.self.qkv"]), 3)
        return states + self._attend(f"{name}.self", query, key, value, bias)

    def _cross_attention(self, name: str, hidden: Tensor, memory: tuple[Tensor, ...], bias: Tensor) -> Tensor:
        normed = self._norm(f"{name}.cross", hidden)
        (query,) = self._split_heads(self._product(normed, self.weights[f"{name}.cross.q"]), 1)
        key, value = memory
        return hidden + self._attend(f"{name}.cross", query, key, value, bias)

    def _feed_forward(self, name: str, states: Tensor) -> Tensor:
        normed = self._norm(f"{name}.ff", states)
        gate, linear = self._product(normed, self.weights[f"{name}.ff.wi"]).chunk(2, dim=-1)
        product = functional.gelu(gate, approximate="tanh") * linear
        return states + self._product(product, self.weights[f"{name}.ff.wo"])

    def _position_bias(self, side: str, width: int, *, bidirectional: bool) -> Tensor:
        """Return the bias of every pair of places, (runs, 1, heads, width, width)."""
        places = torch.arange(width)
        table = self.weights[f"{side}.position_bias"]
        buckets = position_buckets(
            places[None, :] - places[:, None],
            bidirectional,
            self.config.relative_attention_num_buckets,
            self.config.relative_attention_max_distance,
        )
        return table[:, buckets].permute(0, 3, 1, 2).unsqueeze(1)


def softmax(scores: Tensor) -> Tensor:
    """Return the softmax over the last dimension.

    On a CPU torch goes through short rows one by one: with the gradient, rows of 13 numbers take it three times as long
    as a few passes over all rows together.
    """
    return _ShortSoftmax.apply(scores) if scores.shape[-1] < SHORT else torch.softmax(scores, dim=-1)


class _ShortSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor) -> Tensor:
        powers = (scores - scores.amax(-1, keepdim=True)).exp_()
        shares = powers.div_(powers.sum(-1, keepdim=True))
        ctx.save_for_backward(shares)
        return shares

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (shares,) = ctx.saved_tensors
        weighted = gradient * shares
        return weighted.sub_(shares * weighted.sum(-1, keepdim=True))


def position_buckets(distance: Tensor, bidirectional: bool, n_buckets: int, max_distance: int) -> Tensor:
    """Return T5's bucket of each signed distance, key place - query place: large ones share one by logarithm."""
    first = torch.zeros_like(distance)
    if bidirectional:
        n_buckets //= 2
        first = (distance > 0).long() * n_buckets
        far = distance.abs()
    else:
        far = (-distance).clamp(min=0)
    exact = n_buckets // 2
    growth = torch.log(far.clamp(min=1).float() / exact) / math.log(max_distance / exact)
    large = (exact + (growth * (n_buckets - exact)).long()).clamp(max=n_buckets - 1)
    return first + torch.where(far < exact, far, large)


def _additive(mask: Tensor) -> Tensor:
    """Return what masks attention scores, (runs, rows, 1, 1, width): 0 where the mask is 1, else the lowest float."""
    return ((1.0 - mask.float()) * torch.finfo(torch.float32).min)[:, :, None, None, :]


# ---- transformers' names and ours ------------------------------------------------------------------------------------


def fuse_weights(weights: Mapping[str, Tensor], *, tied: bool) -> dict[str, Tensor]:
    """Return a T5 state dict in our form: matrices transposed, those that read the same states side by side."""
    found = {"shared": weights["shared.weight"]}
    if not tied:
        found["head"] = weights["lm_head.weight"]
    for side in ("encoder", "decoder"):
        last = 2 if side == "decoder" else 1
        found[f"{side}.position_bias"] = weights[f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"]
        found[f"{side}.final.norm"] = weights[f"{side}.final_layer_norm.weight"]
        for layer in range(_n_blocks(weights, side)):
            theirs, ours = f"{side}.block.{layer}.layer", f"{side}.{layer}"
            found[f"{ours}.self.norm"] = weights[f"{theirs}.0.layer_norm.weight"]
            found[f"{ours}.self.qkv"] = _side_by_side(weights, f"{theirs}.0.SelfAttention", ("q", "k", "v"))
            found[f"{ours}.self.o"] = _side_by_side(weights, f"{theirs}.0.SelfAttention", ("o",))
            if side == "decoder":
                found[f"{ours}.cross.norm"] = weights[f"{theirs}.1.layer_norm.weight"]
                found[f"{ours}.cross.q"] = _side_by_side(weights, f"{theirs}.1.EncDecAttention", ("q",))
                found[f"{ours}.cross.kv"] = _side_by_side(weights, f"{theirs}.1.EncDecAttention", ("k", "v"))
                found[f"{ours}.cross.o"] = _side_by_side(weights, f"{theirs}.1.EncDecAttention", ("o",))
            found[f"{ours}.ff.norm"] = weights[f"{theirs}.{last}.layer_norm.weight"]
            found[f"{ours}.ff.wi"] = _side_by_side(weights, f"{theirs}.{last}.DenseReluDense", ("wi_0", "wi_1"))
            found[f"{ours}.ff.wo"] = _side_by_side(weights, f"{theirs}.{last}.DenseReluDense", ("wo",))
    return found


def split_weights(fused: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights in our form as a T5 state dict; the inverse of `fuse_weights`."""
    shared = fused["shared"]
    found = {"shared.weight": shared, "lm_head.weight": fused.get("head", shared)}
    for side in ("encoder", "decoder"):
        found[f"{side}.embed_tokens.weight"] = shared
        found[f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"] = fused[f"{side}.position_bias"]
        found[f"{side}.final_layer_norm.weight"] = fused[f"{side}.final.norm"]
    for name, value in fused.items():
        side, _, rest = name.partition(".")
        layer, _, part = rest.partition(".")
        if not layer.isdigit():
            continue
        kind, _, weight = part.partition(".")
        last = 2 if side == "decoder" else 1
        place = {"self": 0, "cross": 1, "ff": last}[kind]
        theirs = f"{side}.block.{layer}.layer.{place}"
        if weight == "norm":
            found[f"{theirs}.layer_norm.weight"] = value
            continue
        module = {"self": "SelfAttention", "cross": "EncDecAttention", "ff": "DenseReluDense"}[kind]
        names = {"qkv": ("q", "k", "v"), "kv": ("k", "v"), "wi": ("wi_0", "wi_1")}.get(weight, (weight,))
        for one, matrix in zip(names, value.t().chunk(len(names), dim=0)):
            found[f"{theirs}.{module}.{one}.weight"] = matrix.contiguous()
    return found


def _n_blocks(weights: Mapping[str, Tensor], side: str) -> int:
    return 1 + max(int(name.split(".")[2]) for name in weights if name.startswith(f"{side}.block."))


def _side_by_side(weights: Mapping[str, Tensor], module: str, names: Sequence[str]) -> Tensor:
    return torch.cat([weights[f"{module}.{name}.weight"] for name in names], dim=0).t().contiguous()
