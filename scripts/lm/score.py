"""The scorer: how likely is each answer, given a prefix and a query?

A prefix (token ids, embeddings, or ready keys and values) is run once; all continuations (query + answer) then run
behind it, packed into rows without padding; only the hidden states that predict answer tokens reach the output layer,
in tiles. Equal to running each prefix + query + answer alone and taking the log-softmax (tests hold it to that).
Memory depends on the prefix, the row size and the number of continuations, never on how many prefixes are scored.

Encoder-decoder models (T5) read prefix + query in the encoder and the answer in the decoder: see `scripts.lm.score_t5`.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Callable, Iterator, Sequence, Union

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from scripts.common.errors import UserError
from scripts.lm import attention
from scripts.lm.architectures import CAUSAL_TYPES, scoring_window, sliding_layers, unknown_trait
from scripts.lm.load import NO_LIMIT
from scripts.lm.logprob import OutputLayer, output_cap, output_scale, token_logprobs
from scripts.lm.packing import Continuation, PackedContinuations, Row, check_ids, pack
from scripts.lm.score_plain import PlainEngine
from scripts.lm.score_t5 import T5Engine
from scripts.lm.side_by_side import one_thread_each, work_off

logger = logging.getLogger(__name__)

__all__ = ["Continuation", "PackedContinuations", "PrefixCache", "Scorer", "Scores"]


@dataclass(frozen=True)
class PrefixCache:
    """A prefix that has been run: what its tokens left behind for later tokens.

    keys, values: by layer, (1, key heads, tokens, head width); change them by building a new cache with `from_tensors`.
    next_position: position of the token that follows. last_hidden: (1, width) final state of the last token, which
    predicts the first answer token where a query is empty; None if unknown. ids, embeds: the prefix itself, embeddings
    first, only where nothing can be run ahead (T5, and model types that are scored by their plain pass).
    """

    keys: tuple[Tensor, ...] = ()
    values: tuple[Tensor, ...] = ()
    next_position: int = 0
    last_hidden: Tensor | None = None
    ids: tuple[int, ...] = ()
    embeds: Tensor | None = None

    @property
    def length(self) -> int:
        """Tokens (or embeddings) that later tokens can look at."""
        if self.keys:
            return self.keys[0].shape[2]
        return len(self.ids) + (0 if self.embeds is None else self.embeds.shape[0])

    @classmethod
    def from_tensors(
        cls,
        keys: Sequence[Tensor],
        values: Sequence[Tensor],
        *,
        next_position: int | None = None,
        last_hidden: Tensor | None = None,
    ) -> PrefixCache:
        """Build a cache from keys and values by layer, (1, key heads, tokens, head width) each.

        next_position: where the next token stands; the number of cached tokens if None. Raises ValueError if the shapes
        do not fit together.
        """
        shapes = {tuple(part.shape) for part in (*keys, *values)}
        if len(keys) != len(values) or len(shapes) != 1 or len(next(iter(shapes))) != 4:
            raise ValueError(f"keys and values must be 4-D and alike in all layers, found {sorted(shapes)}")
        position = keys[0].shape[2] if next_position is None else next_position
        return cls(tuple(keys), tuple(values), position, last_hidden)


@dataclass(frozen=True)
class Scores:
    """Log-probabilities of the answers of n continuations after one prefix, in nats.

    logprob_sums: (n,) float64, 0 for an empty answer; n_tokens: (n,) answer tokens; token_logprobs: n arrays of
    float32, one value per answer token, on request.
    """

    logprob_sums: np.ndarray
    n_tokens: np.ndarray
    token_logprobs: list[np.ndarray] | None = None


Prefix = Union[PrefixCache, Sequence[int], None]


class Scorer:
    """Scores continuations after prefixes with one model.

    model: a transformers model with its output layer, on its device, in its dtype. batch_tokens: tokens per row (memory
    and speed, never results beyond rounding).
    Make a new scorer when the model's weights have changed. An architecture that it does not know is scored by the
    model's own pass over each whole sequence, which is slower; a warning says so.
    """

    def __init__(self, model: Any, *, batch_tokens: int = 1024) -> None:
        if batch_tokens < 1:
            raise UserError(f"batch_tokens {batch_tokens}: must be at least 1")
        self.model = model.get_base_model() if hasattr(model, "peft_config") else model
        self.batch_tokens = batch_tokens
        config = self.model.config
        unknown = unknown_trait(config)
        self.encoder_decoder = bool(config.is_encoder_decoder)
        self.plain = PlainEngine(self.model, batch_tokens) if unknown else None
        self.window = NO_LIMIT if self.encoder_decoder else scoring_window(config)
        self._sliding, self._near = sliding_layers(config)
        self.layer = None if unknown else _output_layer(self.model)
        self.device = self.model.device if self.layer is None else self.layer.weight.device
        if unknown:
            logger.warning("%s: each text is run whole, by the model's own slower pass", unknown)
        self._slow_gelus = [part for part in self.model.modules() if type(part).__name__ == "NewGELUActivation"]
        self._t5 = T5Engine(self.model, self.layer, batch_tokens) if self.encoder_decoder and not unknown else None
        attention.register()

    def pack(self, continuations: Sequence[Continuation]) -> PackedContinuations:
        """Pack continuations once, to be scored after any number of prefixes. Raises `UserError` for unknown ids."""
        n_words = self.model.get_input_embeddings().weight.shape[0]
        n_words = n_words if self.layer is None else min(self.layer.weight.shape[0], n_words)
        for index, item in enumerate(continuations):
            check_ids(f"continuation {index}", (*item.query_ids, *item.answer_ids), n_words)
        return pack(continuations, self.batch_tokens, self.device, share=not (self.encoder_decoder or self.plain))

    @torch.no_grad()
    def prefill(
        self,
        prefix_ids: Sequence[int] = (),
        *,
        embeds: Tensor | None = None,
        past: PrefixCache | None = None,
    ) -> PrefixCache:
        """Run a prefix and keep its keys and values.

        prefix_ids: token ids, or embeds: (tokens, width) input embeddings instead. past: what goes before (its tokens
        stay in the result, in front). Raises `UserError` where the prefix does not fit the window.
        """
        if embeds is not None and len(prefix_ids):
            raise ValueError("give prefix_ids or embeds, not both")
        n_new = len(prefix_ids) if embeds is None else embeds.shape[0]
        check_ids("prefix", prefix_ids, self.model.get_input_embeddings().weight.shape[0])
        if self.encoder_decoder:
            if past is not None:
                raise ValueError("the encoder reads the whole prefix with each query: nothing can be continued")
            return PrefixCache(ids=tuple(prefix_ids), embeds=embeds, next_position=n_new)
        if n_new == 0:
            return past or PrefixCache()
        if self.plain is not None:
            return self._keep_plain(prefix_ids, embeds, past)
        start = past.next_position if past else 0
        if start + n_new > self.window:
            raise UserError(
                f"prefix: {start + n_new} tokens exceed the model's window of {self.window};"
                " shorten it or take another model"
            )
        return self._run_prefix(prefix_ids, embeds, past, start, n_new)

    def _keep_plain(self, ids: Sequence[int], embeds: Tensor | None, past: PrefixCache | None) -> PrefixCache:
        """Return a prefix as it is, behind `past`: nothing of it is run ahead."""
        before = past or PrefixCache()
        if embeds is not None and before.length:
            raise UserError(f"model type '{self.model.config.model_type}': embeddings can only stand first in a prefix")
        whole = (*before.ids, *ids)
        made = PrefixCache(ids=whole, embeds=before.embeds if embeds is None else embeds)
        return replace(made, next_position=made.length)

    def score(
        self,
        prefix: Prefix,
        continuations: PackedContinuations | Sequence[Continuation],
        *,
        per_token: bool = False,
    ) -> Scores:
        """Return the log-probabilities of all answers after one prefix (ids, a cache from `prefill`, or None).

        Raises `UserError` where prefix and continuation exceed the window, where an answer has nothing before it, and
        where the model returns numbers that are not finite.
        """
        packed = continuations if isinstance(continuations, PackedContinuations) else self.pack(continuations)
        flat = np.zeros(int(packed.n_tokens.sum()), dtype=np.float32)
        if len(flat):
            self._fill(flat, prefix, packed)
        return _collect(flat, packed, per_token)

    @torch.no_grad()
    def query_states(self, prefix: Prefix, queries: Sequence[Sequence[int]]) -> Tensor:
        """Return the hidden state that predicts what follows each query (token ids) behind one prefix, (n, width).

        For `tokens_after` alone: of a model of an unknown type it is the logits, (n, words).
        Not for encoder-decoder models. Raises `UserError` as `score` does.
        """
        if self.encoder_decoder:
            raise ValueError("query_states is for causal models")
        if self.plain is not None:
            kept = self._plain_prefix(prefix)
            with self._scoring_mode():
                return self.plain.next_logits(kept.ids, kept.embeds, queries)
        packed = self.pack([Continuation(tuple(query), (0,)) for query in queries])  # one answer place for each query
        states = torch.empty(
            len(queries), self.layer.weight.shape[1], dtype=self.layer.weight.dtype, device=self.device
        )

        def keep(places: np.ndarray, _: Tensor, hidden: Tensor) -> None:
            states[torch.as_tensor(places, device=self.device)] = hidden

        self._each_state(prefix, packed, keep)
        return states

    @torch.no_grad()
    def tokens_after(self, states: Tensor, tokens: Sequence[int] = ()) -> tuple[np.ndarray, np.ndarray]:
        """Return what follows the states of `query_states`: the likeliest token's id, `tokens`' log-probabilities.

        Returns (n,) int64 and (n, tokens) float64 in nats.
        """
        wanted = torch.tensor(list(tokens), dtype=torch.long, device=self.device)
        best, found = [np.zeros(0, dtype=np.int64)], [np.zeros((0, len(tokens)))]
        for rows in states.split(256):  # a few rows of logits at a time
            logits = self._logits(rows)
            best.append(logits.argmax(dim=-1).cpu().numpy())
            chosen = logits[:, wanted] - logits.logsumexp(dim=-1, keepdim=True)
            found.append(chosen.double().cpu().numpy())
        return np.concatenate(best), np.concatenate(found)

    def _logits(self, rows: Tensor) -> Tensor:
        """Return the logits of some of the states of `query_states`, (rows, words) float32."""
        if self.layer is None:
            return rows
        return self.layer.capped(F.linear(rows * self.layer.scale, self.layer.weight, self.layer.bias).float())

    def _each_state(
        self, prefix: Prefix, packed: PackedContinuations, use: Callable[[np.ndarray, Tensor, Tensor], None]
    ) -> None:
        """Call `use` with places of answer tokens, their ids and the states that predict them, once for each row.

        On a CPU the rows run side by side, each in one thread; so does a prefix that is no longer than what follows.
        """
        before = prefix.next_position if isinstance(prefix, PrefixCache) else len(prefix or ())
        self._check_fit(before, packed)
        new = len(packed.common_ids) + (0 if isinstance(prefix, PrefixCache) else before)
        ahead = self._prefill_common(prefix, packed) if new > packed.n_fed else None
        with one_thread_each(self.device) as workers:
            cache = self._prefill_common(prefix, packed) if ahead is None else ahead
            if len(packed.first_places):
                use(packed.first_places, packed.first_targets, self._first_states(cache, packed))
            shared = self._shared_prefix(cache, packed)

            def run(row: Row) -> None:
                use(row.places, row.targets, self._row_states(row, cache.next_position, shared(row)))

            with self._scoring_mode(shared_attention=True):
                work_off(run, packed.rows, workers)

    def _shared_prefix(
        self, cache: PrefixCache, packed: PackedContinuations
    ) -> Callable[[Row], attention.SharedPrefix]:
        """Return what makes of a row what its attention needs to look at a prefix."""
        longest = max((group.length for row in packed.rows for group in row.groups), default=0)
        mask = attention.causal_mask(cache.length, longest, self.layer.weight)
        near, near_mask = (frozenset(), None)
        if self._sliding and cache.length + longest > self._sliding:
            near = self._near
            near_mask = attention.causal_mask(
                min(cache.length, self._sliding), longest, self.layer.weight, self._sliding
            )
        keys, values = (self._within_reach(parts, near) for parts in (cache.keys, cache.values))
        return lambda row: attention.SharedPrefix(keys, values, row.groups, mask, near, near_mask)

    def _run_prefix(
        self, ids: Sequence[int], embeds: Tensor | None, past: PrefixCache | None, start: int, n_new: int
    ) -> PrefixCache:
        """Run new prefix tokens behind `past` with the model's own attention."""
        from transformers import DynamicCache

        cache = DynamicCache(list(zip(past.keys, past.values))) if past and past.keys else DynamicCache()
        given = (
            {"input_ids": torch.tensor([list(ids)], dtype=torch.long, device=self.device)}
            if embeds is None
            else {"inputs_embeds": embeds[None].to(self.device, self.layer.weight.dtype)}
        )
        positions = torch.arange(start, start + n_new, device=self.device)[None]
        with self._scoring_mode():
            output = self.model.base_model(**given, position_ids=positions, past_key_values=cache, use_cache=True)
        layers = output.past_key_values.layers
        return PrefixCache(
            tuple(layer.keys for layer in layers),
            tuple(layer.values for layer in layers),
            start + n_new,
            output.last_hidden_state[:, -1],
        )

    @torch.no_grad()
    def _fill(self, flat: np.ndarray, prefix: Prefix, packed: PackedContinuations) -> None:
        """Put the log-probability of every answer token in its place in `flat`."""
        engine = self._t5 or self.plain
        if engine is not None:
            kept = self._plain_prefix(prefix)
            self._check_fit(kept.length, packed)
            with self._scoring_mode():
                engine.fill(flat, kept.ids, kept.embeds, packed)
            return

        def put(places: np.ndarray, targets: Tensor, hidden: Tensor) -> None:
            flat[places] = token_logprobs(hidden, targets, self.layer).cpu().numpy()

        self._each_state(prefix, packed, put)

    def _plain_prefix(self, prefix: Prefix) -> PrefixCache:
        """Return a prefix that is kept as it is. Raises `UserError` where only its keys and values are there."""
        kept = prefix if isinstance(prefix, PrefixCache) else self.prefill(prefix or ())
        if kept.keys:
            raise UserError(
                f"model type '{self.model.config.model_type}': the scorer cannot go on behind keys and values of this"
                f" architecture; take one of {', '.join(CAUSAL_TYPES)}"
            )
        return kept

    def _prefill_common(self, prefix: Prefix, packed: PackedContinuations) -> PrefixCache:
        """Run the prefix, where it is not run yet, together with what all queries begin with."""
        if isinstance(prefix, PrefixCache):
            return self.prefill(packed.common_ids, past=prefix)
        return self.prefill([*(prefix or ()), *packed.common_ids])

    def _check_fit(self, before: int, packed: PackedContinuations) -> None:
        """Raise `UserError` where a continuation does not fit the window behind `before` positions."""
        if before + packed.max_fed > self.window:
            raise UserError(
                f"continuation {packed.longest}: its {packed.max_fed} tokens after a prefix of {before} exceed the"
                f" model's window of {self.window}; shorten one of them or take another model"
            )

    def _within_reach(self, parts: tuple[Tensor, ...], near: frozenset[int]) -> tuple[Tensor, ...]:
        """Return a prefix's keys or values by layer, of the layers `near` those that a later token can still see."""
        return tuple(part[:, :, -self._sliding :] if at in near else part for at, part in enumerate(parts))

    def _first_states(self, cache: PrefixCache, packed: PackedContinuations) -> Tensor:
        """Return the hidden states that predict the answer tokens which follow the prefix directly."""
        if cache.last_hidden is None:
            index = int(np.searchsorted(packed.answer_starts, packed.first_places[0], side="right")) - 1
            raise UserError(
                f"continuation {index}: empty query and no text before it, so nothing predicts its first token;"
                " give a query or a prefix (with last_hidden, if it is a cache)"
            )
        return cache.last_hidden.expand(len(packed.first_targets), -1)

    def _row_states(self, row: Row, start: int, prefix: attention.SharedPrefix) -> Tensor:
        """Run one row behind the prefix, from position `start`; return the states that predict its answer tokens."""
        output = self.model.base_model(
            input_ids=row.input_ids, position_ids=row.offsets + start, use_cache=False, shared_prefix=prefix
        )
        return output.last_hidden_state[0].index_select(0, row.predictors)

    @contextlib.contextmanager
    def _scoring_mode(self, *, shared_attention: bool = False) -> Iterator[None]:
        """While the model runs: no dropout, its activation in one fused pass, on request shared-prefix attention."""
        config, usual, training = self.model.config, self.model.config._attn_implementation, self.model.training
        if training:
            self.model.eval()
        for part in self._slow_gelus:
            part.forward = partial(F.gelu, approximate="tanh")  # the same function in one pass instead of eight
        if shared_attention:
            config._attn_implementation = attention.NAME
        try:
            yield
        finally:
            config._attn_implementation = usual
            for part in self._slow_gelus:
                del part.forward
            if training:
                self.model.train()


def _output_layer(model: Any) -> OutputLayer:
    """Return the model's own output layer. Raises `UserError` if it is not a plain linear layer."""
    head = model.get_output_embeddings()
    if type(head) is not torch.nn.Linear or not head.weight.is_floating_point():
        raise UserError(
            f"model type '{model.config.model_type}': output layer is {type(head).__name__}, not a plain linear layer;"
            " load the model with its language-model head, unquantised and without adapters on the head"
        )
    return OutputLayer.of(head.weight, head.bias, output_scale(model.config), output_cap(model.config))


def _collect(flat: np.ndarray, packed: PackedContinuations, per_token: bool) -> Scores:
    """Return sums over the answer tokens. Raises `UserError` where one is not finite."""
    if not np.isfinite(flat).all():
        place = int(np.flatnonzero(~np.isfinite(flat))[0])
        index = int(np.searchsorted(packed.answer_starts, place, side="right")) - 1
        raise UserError(
            f"continuation {index}: log-probability is {flat[place]}; the model's weights are damaged or its dtype"
            " overflows (try dtype float32)"
        )
    ends = packed.answer_starts + packed.n_tokens
    totals = np.concatenate([[0.0], np.cumsum(flat, dtype=np.float64)])
    parts = [flat[start:end].copy() for start, end in zip(packed.answer_starts, ends)] if per_token else None
    return Scores(totals[ends] - totals[packed.answer_starts], packed.n_tokens, parts)
