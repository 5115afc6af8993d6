"""The frozen large model as MEND uses it: hidden states of queries behind a prefix of tokens or of vectors.

The same pass serves teacher (prefix = demonstrations) and student (prefix = distilled vectors). Several queries may
share one prefix: they stand side by side behind it and see the prefix and themselves only.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from scripts.common.errors import UserError
from scripts.lm.architectures import ENCODER_DECODER_TYPES, PLAIN_HEAD_TYPES
from scripts.lm.load import NO_LIMIT
from scripts.lm.logprob import output_scale


def left_padded(rows: Sequence[Sequence[int]], device: Any, width: int | None = None) -> tuple[Tensor, Tensor]:
    """Return ids (B, T), filled up on the left with 0, and their mask; width: at least so many columns."""
    longest = max([len(row) for row in rows] + [width or 0])
    ids = torch.tensor([[0] * (longest - len(row)) + list(row) for row in rows], dtype=torch.long)
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], dtype=torch.long)
    return ids.view(len(rows), longest).to(device), mask.view(len(rows), longest).to(device)


@dataclasses.dataclass(frozen=True)
class QueryBatch:
    """Queries with answers behind B prefixes, Q behind each, padded on the right to T tokens.

    ids, mask: (B, Q, T); answers: (B, Q, T), true on answer tokens. Encoder-decoder models read `ids` in the encoder
    and `answer_ids` (B, Q, A), mask `answer_mask`, in the decoder; `answers` is not used there.
    """

    ids: Tensor
    mask: Tensor
    answers: Tensor
    answer_ids: Tensor
    answer_mask: Tensor


@dataclasses.dataclass(frozen=True)
class Positions:
    """Hidden states of n positions of queries and answers, one query after the other.

    states: (n, width), each the state behind one token of query or answer (encoder-decoder: before each answer token).
    is_answer: (n,), whether the state predicts an answer token; targets: (m,), ids of the m predicted answer tokens.
    layers: (layers, n, width), the states of all layers, on request.
    """

    states: Tensor
    is_answer: Tensor
    targets: Tensor
    layers: Tensor | None


def query_batch(
    sets: Sequence[Sequence[tuple[Sequence[int], Sequence[int]]]], device: Any, *, may_end: bool = False
) -> QueryBatch:
    """Make a batch of (query ids, answer ids) pairs, Q for each of B prefixes. Raises `UserError` for an empty part.

    may_end: whether answers may be empty (texts that end behind their first token; not for encoder-decoder models).
    """
    flat = [pair for pairs in sets for pair in pairs]
    for number, (query, answer) in enumerate(flat):
        if not query or not (answer or may_end):
            raise UserError(
                f"training example {number + 1} of a batch: empty {'query' if not query else 'answer'}; remove rows"
                " without input or output, or give a separator after the input"
            )
    shape = (len(sets), len(sets[0]))

    def pad(rows: Sequence[Sequence[int]]) -> Tensor:
        width = max(map(len, rows))
        filled = [[*row, *[0] * (width - len(row))] for row in rows]
        return torch.tensor(filled, device=device).view(*shape, width)

    return QueryBatch(
        ids=pad([[*query, *answer] for query, answer in flat]),
        mask=pad([[1] * (len(query) + len(answer)) for query, answer in flat]).bool(),
        answers=pad([[0] * len(query) + [1] * len(answer) for query, answer in flat]).bool(),
        answer_ids=pad([answer for _, answer in flat]),
        answer_mask=pad([[1] * len(answer) for _, answer in flat]).bool(),
    )


class LargeModel:
    """A causal or encoder-decoder model behind one interface; its weights are frozen when `frozen`."""

    def __init__(self, loaded: Any, *, frozen: bool = True) -> None:
        self.model = loaded.model
        self.tokenizer = loaded.tokenizer
        self.device = loaded.device
        self.dtype = loaded.dtype
        self.family = loaded.family
        # Relative positions have no limit, whatever length a T5 states; the mask of several queries behind a prefix is
        # ours and knows no sliding window.
        sliding = getattr(self.model.config, "sliding_window", None)
        self.window = NO_LIMIT if self.encoder_decoder else min(loaded.window, sliding or loaded.window)
        kind = self.model.config.model_type
        known = ENCODER_DECODER_TYPES if self.encoder_decoder else PLAIN_HEAD_TYPES
        if kind not in known:
            raise UserError(f"model type '{kind}': MEND knows {', '.join((*PLAIN_HEAD_TYPES, *ENCODER_DECODER_TYPES))}")
        if frozen:
            self.model.requires_grad_(False)

    @property
    def encoder_decoder(self) -> bool:
        """Return whether the model has an encoder that reads the prefix."""
        return self.family == "encoder_decoder"

    @property
    def width(self) -> int:
        """Return the width of the input embeddings, which prefix vectors must have."""
        return self.model.get_input_embeddings().weight.shape[1]

    def head(self) -> tuple[Tensor, Tensor | None, float]:
        """Return weight and bias of the output layer and what hidden states are multiplied by before it."""
        layer = self.model.get_output_embeddings()
        return layer.weight, layer.bias, output_scale(self.model.config)

    def checkpoint_activations(self, *, dropout: bool = False) -> None:
        """Compute the model's activations twice in the backward pass, to save memory; its outputs stay the same.

        The library does so in training mode only, so every dropout is set to 0 first (unless the model is to drop):
        nothing else differs.
        """
        for part in self.model.modules():
            if dropout:
                break
            if isinstance(part, torch.nn.Dropout):
                part.p = 0.0
            for name in ("attention_dropout", "dropout", "activation_dropout", "layerdrop"):
                if isinstance(getattr(part, name, None), float):
                    setattr(part, name, 0.0)
        self.model.activation_checkpointing_enable()
        self.model.train()

    def embed(self, rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Return the embeddings (B, P, width) of token rows, padded on the left, and their mask (B, P)."""
        ids, mask = left_padded(rows, self.device)
        return self.model.get_input_embeddings()(ids), mask

    def run(self, prefix: Tensor, prefix_mask: Tensor, queries: QueryBatch, *, all_layers: bool = False) -> Positions:
        """Run queries behind prefixes (B, P, width); prefix_mask (B, P), padding on the left."""
        if self.encoder_decoder:
            return self._run_encoder_decoder(prefix, prefix_mask, queries, all_layers)
        size, n_queries, width = queries.ids.shape
        n_prefix = prefix.shape[1]
        embeds = self.model.get_input_embeddings()(queries.ids.view(size, -1)).to(prefix.dtype)
        mask, positions = layout(prefix_mask, queries.mask, prefix.dtype)
        output = self.model.base_model(
            inputs_embeds=torch.cat([prefix, embeds], dim=1),
            attention_mask=mask,
            position_ids=positions,
            use_cache=False,
            output_hidden_states=all_layers,
        )
        wanted = output.hidden_states[1:] if all_layers else (output.last_hidden_state,)
        chosen = [one[:, n_prefix:].reshape(size, n_queries, width, -1)[queries.mask] for one in wanted]
        predicts = F.pad(queries.answers[:, :, 1:], (0, 1))
        states = chosen[-1]  # the library's last layer of `hidden_states` is normed, as `last_hidden_state` is
        layers = torch.stack(chosen) if all_layers else None
        return Positions(states, predicts[queries.mask], queries.ids[queries.answers], layers)

    def _run_encoder_decoder(
        self, prefix: Tensor, prefix_mask: Tensor, queries: QueryBatch, all_layers: bool
    ) -> Positions:
        """Read prefix and query in the encoder, the answer in the decoder; every query is a row of its own."""
        n_queries = queries.ids.shape[1]
        asked = (queries.mask & ~queries.answers).flatten(0, 1)
        embeds = self.model.get_input_embeddings()(queries.ids.flatten(0, 1)).to(prefix.dtype)
        mask = torch.cat([prefix_mask.bool().repeat_interleave(n_queries, dim=0), asked], dim=1)
        answers, inside = queries.answer_ids.flatten(0, 1), queries.answer_mask.flatten(0, 1)
        start = answers.new_full((len(answers), 1), int(self.model.config.decoder_start_token_id))
        encoded = self.model.get_encoder()(
            inputs_embeds=torch.cat([prefix.repeat_interleave(n_queries, dim=0), embeds], dim=1),
            attention_mask=mask.long(),
        ).last_hidden_state
        output = self.model.get_decoder()(
            input_ids=torch.cat([start, answers[:, :-1]], dim=1),
            attention_mask=inside.long(),
            encoder_hidden_states=encoded,
            encoder_attention_mask=mask.long(),
            use_cache=False,
            output_hidden_states=all_layers,
        )
        states, targets = output.last_hidden_state[inside], answers[inside]
        layers = torch.stack([one[inside] for one in output.hidden_states[1:]]) if all_layers else None
        return Positions(states, torch.ones_like(targets, dtype=torch.bool), targets, layers)


def layout(prefix_mask: Tensor, queries: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return attention mask and positions of prefixes (B, P) with queries (B, Q, T) side by side behind them.

    With one query the mask is (B, P + T), so that the model's fast attention can be used; with several it is additive,
    (B, 1, P + Q T, P + Q T). Every query's positions run on after its prefix.
    """
    size, n_queries, width = queries.shape
    n_prefix = prefix_mask.shape[1]
    inside = torch.cat([prefix_mask.bool(), queries.flatten(1)], dim=1)
    own = prefix_mask.sum(1, keepdim=True) + torch.arange(width, device=queries.device).repeat(n_queries)
    positions = torch.cat([(prefix_mask.cumsum(1) - 1).clamp(min=0), own], dim=1)
    if n_queries == 1:
        return inside.long(), positions
    total = inside.shape[1]
    owner = torch.cat(
        [
            torch.full((n_prefix,), -1, device=queries.device),
            torch.arange(n_queries, device=queries.device).repeat_interleave(width),
        ]
    )
    place = torch.arange(total, device=queries.device)
    allowed = (place[:, None] >= place) & ((owner[:, None] == owner) | (owner == -1))
    seen = (allowed & inside[:, None]) | torch.eye(total, dtype=torch.bool, device=queries.device)
    mask = torch.zeros(size, 1, total, total, dtype=dtype, device=queries.device)
    return mask.masked_fill(~seen[:, None], torch.finfo(dtype).min), positions
