"""Scoring with T5: prefix and query go to the encoder, the answer to the decoder.

The encoder looks both ways, so a prefix's states depend on the query behind it: no state of the prefix can be shared
between queries. What is shared: one encoder pass for all answers of the same query (the options of a question), batches
by length under a token budget, and the tiled output layer on the answer positions alone.
"""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np
import torch
from torch import Tensor

from scripts.common.errors import UserError
from scripts.lm.logprob import OutputLayer, token_logprobs
from scripts.lm.packing import Continuation, PackedContinuations, split_by_budget


class T5Engine:
    """Runs T5's encoder and decoder for a scorer, `batch_tokens` tokens at a time on either side."""

    def __init__(self, model: Any, layer: OutputLayer, batch_tokens: int) -> None:
        self.model = model
        self.layer = layer
        self.batch_tokens = batch_tokens
        self.device = layer.weight.device
        start = model.config.decoder_start_token_id
        if start is None:
            raise UserError("model type 't5': decoder_start_token_id is not set; give it in config.json (T5 uses 0)")
        self.start_id = int(start)

    def fill(
        self, flat: np.ndarray, prefix_ids: Sequence[int], prefix_embeds: Tensor | None, packed: PackedContinuations
    ) -> None:
        """Put the log-probability of every answer token in its place in `flat`."""
        by_query: dict[tuple[int, ...], list[int]] = {}
        for index, item in enumerate(packed.continuations):
            if item.answer_ids:
                by_query.setdefault(item.query_ids, []).append(index)
        prefix = (
            self._embed(prefix_ids) if prefix_embeds is None else prefix_embeds.to(self.device, self.layer.weight.dtype)
        )
        queries = sorted(by_query, key=lambda ids: (-len(ids), ids))
        if queries and len(prefix) + len(queries[-1]) == 0:
            raise UserError(
                f"continuation {by_query[queries[-1]][0]}: neither prefix nor query; the encoder needs a token"
            )
        for run in split_by_budget([len(prefix) + len(query) for query in queries], self.batch_tokens):
            chosen = [queries[at] for at in run]
            states, mask = self._encode(prefix, chosen)
            owners = [(row, index) for row, query in enumerate(chosen) for index in by_query[query]]
            owners.sort(key=lambda pair: (-len(packed.continuations[pair[1]].answer_ids), pair))
            sizes = [states.shape[1] + len(packed.continuations[index].answer_ids) for _, index in owners]
            for part in split_by_budget(sizes, self.batch_tokens):
                self._decode(flat, [owners[at] for at in part], states, mask, packed)

    def _embed(self, ids: Sequence[int]) -> Tensor:
        return self.model.get_input_embeddings()(torch.tensor(list(ids), dtype=torch.long, device=self.device))

    def _encode(self, prefix: Tensor, queries: Sequence[tuple[int, ...]]) -> tuple[Tensor, Tensor]:
        """Return the encoder's states (queries, tokens, width) and their mask, padded on the right."""
        ids, mask = _pad(queries, self.device)
        embeds = torch.cat([prefix.expand(len(queries), -1, -1), self.model.get_input_embeddings()(ids)], dim=1)
        mask = torch.cat([mask.new_ones(len(queries), len(prefix)), mask], dim=1)
        return self.model.get_encoder()(inputs_embeds=embeds, attention_mask=mask).last_hidden_state, mask

    def _decode(
        self,
        flat: np.ndarray,
        owners: Sequence[tuple[int, int]],
        states: Tensor,
        mask: Tensor,
        packed: PackedContinuations,
    ) -> None:
        """Run the answers of a batch through the decoder; `owners` pairs encoder rows with continuations."""
        items: list[Continuation] = [packed.continuations[index] for _, index in owners]
        fed = [(self.start_id, *item.answer_ids[:-1]) for item in items]
        ids, inside = _pad(fed, self.device)
        rows = torch.tensor([row for row, _ in owners], device=self.device)
        output = self.model.get_decoder()(
            input_ids=ids,
            attention_mask=inside,
            encoder_hidden_states=states.index_select(0, rows),
            encoder_attention_mask=mask.index_select(0, rows),
            use_cache=False,
        )
        hidden = output.last_hidden_state[inside.bool()]
        targets = torch.tensor([token for item in items for token in item.answer_ids], device=self.device)
        places = np.concatenate(
            [packed.answer_starts[index] + np.arange(packed.n_tokens[index]) for _, index in owners]
        )
        flat[places] = token_logprobs(hidden, targets, self.layer).cpu().numpy()


def _pad(sequences: Sequence[tuple[int, ...]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return ids (n, longest), padded on the right with 0, and their mask of 1 and 0."""
    longest = max(len(ids) for ids in sequences)
    ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in sequences], dtype=torch.long, device=device)
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in sequences], device=device)
    return ids.view(len(sequences), longest), mask.view(len(sequences), longest)
