"""DELIFT's pairwise utility: how much example j, shown before target i, helps the model to predict i's response.

Let p_t be the probability of the true response token t under a context c, and T_i the number of response tokens, the
closing end-of-text token among them. d_i(c) = ||p - 1||_2 / sqrt(T_i) lies in [0, 1]; the utility is
U_ij = d_i(no example) - d_i(example j), or its exponential (DELIFT, section 3.1).

Each example is run once and all targets follow behind it (`scripts.lm.score`).
# DEVIATION: the released code runs every whole prompt anew, padded, with a soft-max over the whole vocabulary.
# DEVIATION: where truncation leaves no response token of a target, its utility is that of no difference; the released
# code takes the distance as 0, so that an example which pushes the response out of the window counts as the best one
# (`released_truncation` does so too).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping, Sequence

import numpy as np

from scripts.delift.settings_choose import UtilitySettings
from scripts.delift.utility_prompts import Encoder, Target, cut, released_limits

if TYPE_CHECKING:
    from scripts.lm.load import LoadedModel


class UtilityScorer:
    """Computes columns of the utility matrix with one model, for fixed targets.

    distances: (targets,) float64, d_i without example; n_tokens: (targets,) response tokens of the prompt without
    example, 0 where nothing is left of the response.
    """

    def __init__(self, loaded: LoadedModel, targets: Sequence[Mapping[str, str]], settings: UtilitySettings) -> None:
        from scripts.lm.score import Scorer

        self.settings = settings
        self.encoder = Encoder(loaded.tokenizer, settings)
        self.targets = [self.encoder.target(row) for row in targets]
        self.limit = min(settings.max_tokens, loaded.window)
        self._alone_caps, self._caps = self._caps_of(self.targets)
        self._lengths = np.array([len(target.query) + len(target.response) for target in self.targets])
        self._scorer = Scorer(loaded.model, batch_tokens=settings.batch_tokens)
        self._packed: tuple[bytes, Any] | None = None
        self.encoder.check_seam(targets[-1], targets[0])
        parts = [
            cut(target.alone, target.response, min(cap, self.limit))
            for target, cap in zip(self.targets, self._alone_caps)
        ]
        self.distances, self.n_tokens = self._distances(None, self._scorer.pack(_continuations(parts)))

    def _caps_of(self, targets: Sequence[Target]) -> tuple[np.ndarray, np.ndarray]:
        if not self.settings.released_truncation:
            caps = np.full(len(targets), np.iinfo(np.int64).max)
            return caps, caps
        n_special = len(self.encoder.special["between"]) + len(self.encoder.special["after"])
        return released_limits(targets, n_special, self.settings.released_batch)

    def kept_tokens(self, example: tuple[int, ...]) -> np.ndarray:
        """Return how many tokens of query and response each target keeps behind this example, (targets,)."""
        return np.minimum(np.minimum(self._lengths, self._caps), max(0, self.limit - len(example)))

    def column(self, example: tuple[int, ...]) -> np.ndarray:
        """Return the utility of one example (token ids of `Encoder.example`) for every target, (targets,) float32."""
        kept = self.kept_tokens(example)
        with_example, n_tokens = np.zeros(len(kept)), np.zeros(len(kept), dtype=np.int64)
        if len(example) < self.limit:
            with_example, n_tokens = self._distances(example, self._pack(kept))
        difference = self.distances - with_example
        if not self.settings.released_truncation:
            difference[(n_tokens == 0) | (self.n_tokens == 0)] = 0.0
        return (np.exp(difference) if self.settings.distance == "exponential" else difference).astype(np.float32)

    def counts(self, examples: Sequence[tuple[int, ...]]) -> dict[str, int]:
        """Return how many (target, example) pairs are cut, and of how many no response token is left."""
        queries = np.array([len(target.query) for target in self.targets])
        truncated = without = 0
        for example in examples:
            kept = self.kept_tokens(example)
            truncated += int((kept < self._lengths).sum())
            without += int((kept <= queries).sum())
        return {"n_pairs": len(examples) * len(queries), "n_pairs_truncated": truncated, "n_pairs_empty": without}

    def _pack(self, kept: np.ndarray) -> Any:
        """Pack the targets cut to these lengths; the last packing is kept, which most examples share."""
        key = kept.tobytes()
        if self._packed is None or self._packed[0] != key:
            parts = [cut(target.query, target.response, n) for target, n in zip(self.targets, kept)]
            self._packed = key, self._scorer.pack(_continuations(parts))
        return self._packed[1]

    def _distances(self, prefix: tuple[int, ...] | None, packed: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return ||p - 1||_2 / sqrt(T) of every continuation, 0 where T is 0, and the response tokens T."""
        scores = self._scorer.score(prefix, packed, per_token=True)
        n_tokens = scores.n_tokens
        result = np.zeros(len(n_tokens))
        filled = np.flatnonzero(n_tokens)
        if len(filled):
            misses = np.expm1(np.concatenate(scores.token_logprobs).astype(np.float64)) ** 2
            starts = (np.cumsum(n_tokens) - n_tokens)[filled]
            result[filled] = np.sqrt(np.add.reduceat(misses, starts) / n_tokens[filled])
        return result, n_tokens


def _continuations(parts: Sequence[tuple[tuple[int, ...], tuple[int, ...]]]) -> list[Any]:
    from scripts.lm.score import Continuation

    return [Continuation(query, response) for query, response in parts]
