"""In-context learning with many queries behind the same demonstrations.

The demonstrations are run once; a further round adds only its own. Where two texts begin with the same tokens, what was
run for the first serves the second: the cache is cut back to what they share. Equal to running every prompt whole.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Sequence

import numpy as np

from scripts.common.errors import UserError
from scripts.lm.generate import end_token_ids
from scripts.lm.prompts import leading_ids, plain_ids
from scripts.lm.score import Continuation, PrefixCache, Scorer

if TYPE_CHECKING:
    from torch import Tensor

    from scripts.lm.load import LoadedModel

SEAM_LETTERS = 400


@dataclasses.dataclass(frozen=True)
class Prefix:
    """Demonstrations that have been run: their text, token ids and cache (None where there are no tokens)."""

    text: str
    ids: tuple[int, ...]
    cache: PrefixCache | None


class Reader:
    """Runs prefixes and asks queries behind them. batch_tokens: query tokens in one pass."""

    def __init__(self, loaded: LoadedModel, batch_tokens: int) -> None:
        self.loaded = loaded
        self.scorer = Scorer(loaded.model, batch_tokens=batch_tokens)
        self.leading = tuple(leading_ids(loaded.tokenizer))
        self._last: tuple[PrefixCache | None, list[list[int]], Tensor] | None = None

    def whole_ids(self, text: str) -> tuple[int, ...]:
        """Return the token ids of a text that begins a prompt."""
        return (*self.leading, *plain_ids(self.loaded.tokenizer, text))

    def extend(self, text: str, past: Prefix | None = None) -> Prefix:
        """Run a prefix, taking over from `past` what both begin with. Raises `UserError` if the window is too short."""
        ids = self.whole_ids(text)
        if not ids:
            return Prefix(text, (), None)
        shared = 0
        if past is not None and past.cache is not None:
            pairs = enumerate(zip(past.ids, ids))
            shared = next((place for place, (old, new) in pairs if old != new), min(len(past.ids), len(ids)))
        if past is not None and shared == len(ids) == len(past.ids):
            return Prefix(text, ids, past.cache)
        shared = min(shared, len(ids) - 1)  # at least one token is run: its state predicts what follows
        cache = cut_back(past.cache, shared) if shared and past is not None and past.cache is not None else None
        return Prefix(text, ids, self.scorer.prefill(ids[shared:], past=cache))

    def tails(self, prefix: Prefix, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids that `texts` add to a prefix.

        Only the prefix's last lines are split again. Raises `UserError` where a token would span the seam.
        """
        if not prefix.text:
            return [list(self.whole_ids(text)) for text in texts] if not prefix.ids else self._plain(texts)
        tokenizer = self.loaded.tokenizer
        place = prefix.text.rfind("\n", 0, max(0, len(prefix.text) - SEAM_LETTERS))
        anchor = prefix.text[place + 1 :]
        before = plain_ids(tokenizer, anchor)
        found = []
        for number, text in enumerate(texts):
            ids = plain_ids(tokenizer, anchor + text)
            first = number == 0 and self.whole_ids(prefix.text + text) != (*prefix.ids, *ids[len(before) :])
            if ids[: len(before)] != before or first:
                raise UserError(
                    "prompt: a token spans the seam between demonstrations and query; end the demonstration (or the"
                    " introduction) with a line break and begin the query with a word"
                )
            found.append(ids[len(before) :])
        return found

    def _plain(self, texts: Sequence[str]) -> list[list[int]]:
        return [plain_ids(self.loaded.tokenizer, text) for text in texts]

    def states(self, prefix: Prefix, queries: list[list[int]], *, keep: bool = True) -> Tensor:
        """Return the hidden states behind queries of token ids; those kept last are not computed again."""
        if self._last is not None and self._last[0] is prefix.cache and self._last[1] == queries:
            return self._last[2]
        states = self.scorer.query_states(prefix.cache, queries)
        if keep:
            self._last = (prefix.cache, [list(query) for query in queries], states)
        return states

    def forget(self) -> None:
        """Let go of the states kept last, and of the cache behind them."""
        self._last = None

    def write(self, prefix: Prefix, queries: Sequence[str], max_new_tokens: int) -> list[str]:
        """Return what the model writes behind each query, the likeliest token each time.

        For each token the short query runs again behind the prefix, which is never copied for a batch: thousands of
        demonstration tokens times the queries would not fit a device.
        Raises `UserError` where prefix, query and answer exceed the window.
        """
        ids = self.tails(prefix, queries)
        longest = len(prefix.ids) + max(map(len, ids)) + max_new_tokens
        if longest > self.scorer.window:
            raise UserError(
                f"prompt: {longest} tokens with {max_new_tokens} for the answer exceed the model's window of"
                f" {self.scorer.window}; show fewer demonstrations or take another model"
            )
        ends, starts = set(end_token_ids(self.loaded)), [len(own) for own in ids]
        open_rows = list(range(len(ids)))
        for step in range(max_new_tokens):
            states = self.states(prefix, [ids[row] for row in open_rows], keep=step == 0)
            best, _ = self.scorer.tokens_after(states)
            for row, token in zip(open_rows, best.tolist()):
                ids[row].append(token)
            open_rows = [row for row in open_rows if ids[row][-1] not in ends]
            if not open_rows:
                break
        written = [[token for token in own[start:] if token not in ends] for own, start in zip(ids, starts)]
        return [self.loaded.tokenizer.decode(own, skip_special_tokens=True) for own in written]

    def label_scores(
        self, prefix: Prefix, queries: Sequence[str], lead: str, labels: Sequence[str], norm: str
    ) -> np.ndarray:
        """Return (queries, labels) log-probabilities, in nats, of each label behind query and `lead`.

        norm: sum over a label's tokens, or mean. Blanks at the end of `lead` belong to the label's tokens.
        """
        asked, answers = self._split(prefix, queries, lead, labels)
        if all(len(own) == 1 for own in answers):
            firsts = [own[0] for own in answers]
            return finite(self.scorer.tokens_after(self.states(prefix, asked), firsts)[1])
        pairs = [Continuation(tuple(query), tuple(own)) for query in asked for own in answers]
        scores = self.scorer.score(prefix.cache, pairs)
        divisor = scores.n_tokens if norm == "mean" else 1
        return finite((scores.logprob_sums / divisor).reshape(len(queries), len(labels)))

    def first_token_scores(
        self, prefix: Prefix, queries: Sequence[str], lead: str, labels: Sequence[str]
    ) -> np.ndarray:
        """Return (queries, labels) log-probabilities of each label's first token, as DiLM scores.

        Raises `UserError` if two labels begin with the same token.
        """
        asked, answers = self._split(prefix, queries, lead, labels)
        firsts = [own[0] for own in answers]
        for place, token in enumerate(firsts):
            if token in firsts[:place]:
                raise UserError(
                    f"first_token: labels '{labels[firsts.index(token)]}' and '{labels[place]}' begin with the same"
                    " token; use the scorer labels, which reads them whole"
                )
        return finite(self.scorer.tokens_after(self.states(prefix, asked), firsts)[1])

    def _split(
        self, prefix: Prefix, queries: Sequence[str], lead: str, labels: Sequence[str]
    ) -> tuple[list[list[int]], list[list[int]]]:
        """Return the token ids of each query with its lead, and those of each label behind it."""
        bare = lead.rstrip(" ")
        blanks = lead[len(bare) :]
        asked = self.tails(prefix, [query + bare for query in queries])
        ends = self.tails(prefix, [queries[0] + bare + blanks + label for label in labels])
        n_asked = len(asked[0])
        for label, ids in zip(labels, ends):
            if ids[:n_asked] != asked[0] or len(ids) == n_asked:
                raise UserError(f"prompt: a token spans the seam before the label '{label}'; end `answer` with a blank")
        return asked, [ids[n_asked:] for ids in ends]


def finite(scores: np.ndarray) -> np.ndarray:
    """Return the scores. Raises `UserError` if one is not finite."""
    if not np.isfinite(scores).all():
        raise UserError("model: a label's log-probability is not finite; check the model's weights and the dtype")
    return scores


def cut_back(cache: PrefixCache, tokens: int) -> PrefixCache:
    """Return the beginning of a cache."""
    keys, values = ([part[:, :, :tokens] for part in parts] for parts in (cache.keys, cache.values))
    if not cache.keys:  # kept as ids, of a model that is scored by its plain pass
        return PrefixCache(ids=cache.ids[:tokens], next_position=tokens)
    return PrefixCache.from_tensors(keys, values)
