"""Scoring by the model's own forward pass, each prefix + query + answer as one sequence: right for every architecture.

Slower than `scripts.lm.score`, which runs a prefix once: for model types which that does not know. Sequences of one
length run together, so nothing is padded. What follows from a model's own logits needs no knowledge of its layers.
"""

from __future__ import annotations

from typing import Any, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from scripts.common.errors import UserError
from scripts.lm.packing import Continuation, PackedContinuations


class PlainEngine:
    """Runs whole sequences through a model with a language-model head; batch_tokens: tokens of one forward pass."""

    def __init__(self, model: Any, batch_tokens: int) -> None:
        self._model = model
        self._batch_tokens = batch_tokens
        self._encoder_decoder = bool(model.config.is_encoder_decoder)
        if not self._encoder_decoder:
            self._check_causal()

    @torch.no_grad()
    def _check_causal(self) -> None:
        """Raise `UserError` for a model whose tokens see later ones: what it says of a text is no prediction."""
        training = self._model.training
        output = self._model.eval()(input_ids=self._tensor([[0, 1, 2, 3], [0, 1, 2, 0]]), use_cache=False)
        self._model.train(training)
        logits = getattr(output, "logits", None)
        if logits is None:
            raise UserError(
                f"model type '{self._model.config.model_type}': it has no output layer; load the model with its"
                " language-model head"
            )
        changed = (logits[0] - logits[1]).abs().float().nan_to_num().amax(dim=-1)  # by place; only the last id differs
        noise = 1e-5 if self._model.dtype == torch.float32 else 1e-2
        if changed[:3].max() > noise * changed[3]:
            raise UserError(
                f"model type '{self._model.config.model_type}': its tokens see later ones, so it predicts none; take a"
                " causal model"
            )

    def fill(
        self, flat: np.ndarray, prefix_ids: Sequence[int], prefix_embeds: Tensor | None, packed: PackedContinuations
    ) -> None:
        """Put the log-probability of every answer token, in nats, in its place in `flat`."""
        answered = [index for index, item in enumerate(packed.continuations) if item.answer_ids]
        for rows in self._batches(packed.continuations, answered):
            items = [packed.continuations[index] for index in rows]
            logits = self._logits(prefix_ids, prefix_embeds, items)
            for index, item, row in zip(rows, items, logits):
                targets = torch.tensor(item.answer_ids, device=row.device)[:, None]
                own = row.float()
                found = own.gather(1, targets)[:, 0] - own.logsumexp(dim=-1)
                start = packed.answer_starts[index]
                flat[start : start + len(item.answer_ids)] = found.cpu().numpy()

    def next_logits(
        self, prefix_ids: Sequence[int], prefix_embeds: Tensor | None, queries: Sequence[Sequence[int]]
    ) -> Tensor:
        """Return the logits of what follows each query behind the prefix, (n, words) float32."""
        items = [Continuation(tuple(query), (0,)) for query in queries]
        parts: list[Any] = [None] * len(items)
        for rows in self._batches(items, range(len(items))):
            logits = self._logits(prefix_ids, prefix_embeds, [items[index] for index in rows])
            for index, row in zip(rows, logits):
                parts[index] = row[-1].float()
        return torch.stack(parts)

    def _batches(self, items: Sequence[Continuation], chosen: Sequence[int]) -> Iterator[list[int]]:
        """Yield places of items with query and answer of one length each, as many as a pass may hold."""
        alike: dict[tuple[int, int], list[int]] = {}
        for index in chosen:
            alike.setdefault((len(items[index].query_ids), len(items[index].answer_ids)), []).append(index)
        for (n_query, n_answer), members in sorted(alike.items()):
            size = max(1, self._batch_tokens // (n_query + n_answer))
            yield from (members[start : start + size] for start in range(0, len(members), size))

    def _logits(self, prefix_ids: Sequence[int], embeds: Tensor | None, items: Sequence[Continuation]) -> Tensor:
        """Return the logits that predict the answers of items of one length, (items, answer tokens, words)."""
        n_answer = len(items[0].answer_ids)
        if self._encoder_decoder:
            start = self._model.config.decoder_start_token_id
            read = [[*prefix_ids, *item.query_ids] for item in items]
            told = [[start, *item.answer_ids[:-1]] for item in items]
            return self._run(read, embeds, decoder_input_ids=self._tensor(told))
        read = [[*prefix_ids, *item.query_ids, *item.answer_ids[:-1]] for item in items]
        n_before = len(read[0]) + (0 if embeds is None else embeds.shape[0]) - (n_answer - 1)
        if n_before < 1:
            raise UserError(
                "continuation: empty query and no text before it, so nothing predicts its first token; give a query or"
                " a prefix"
            )
        return self._run(read, embeds)[:, -n_answer:]

    def _run(self, rows: Sequence[Sequence[int]], embeds: Tensor | None, **options: Any) -> Tensor:
        options |= {"use_cache": False}
        if embeds is None:
            return self._model(input_ids=self._tensor(rows), **options).logits
        words = self._model.get_input_embeddings()(self._tensor(rows)) if rows[0] else None
        before = embeds.to(self._model.device, self._model.dtype).expand(len(rows), -1, -1)
        whole = before if words is None else torch.cat([before, words], dim=1)
        return self._model(inputs_embeds=whole, **options).logits

    def _tensor(self, rows: Sequence[Sequence[int]]) -> Tensor:
        return torch.tensor([list(row) for row in rows], dtype=torch.long, device=self._model.device)
