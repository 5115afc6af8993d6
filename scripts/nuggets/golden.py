"""The golden score: on how many anchors one example before the question makes the answer likelier (arXiv 2312.10302).

For anchor j, s0_j is the summed log-probability of its answer given its query, s1_ij the same behind candidate i.
GS_i = #{j : s1_ij > s0_j} / K, strictly greater. The paper divides both by the answer's length, which cannot change a
sign, so the sums decide. An anchor whose answer was cut away has 0 for both and never counts; where no anchor has an
answer left there is no score.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Mapping, Sequence

import numpy as np

from scripts.common.errors import UserError
from scripts.nuggets.deep_thinking import read_repeatedly
from scripts.nuggets.prompting import (
    Anchor,
    Demonstration,
    Prompt,
    demonstration_room,
    encode_anchors,
    encode_demonstration,
    leading_ids,
)
from scripts.nuggets.racing import answered_blocks, decide
from scripts.nuggets.settings_score import ScoreSettings

if TYPE_CHECKING:
    from scripts.lm.load import LoadedModel

logger = logging.getLogger(__name__)


def add_pad_word(loaded: LoadedModel) -> None:
    """Add the word `[PAD]` to vocabulary and model, its vectors the means of all others, as the released code does.

    It is never read, but as a further word that could come next it takes a little probability from all others.
    """
    n_before = len(loaded.tokenizer)
    if not loaded.tokenizer.add_special_tokens({"pad_token": "[PAD]"}):
        return
    loaded.model.resize_token_embeddings(len(loaded.tokenizer), mean_resizing=False)
    for layer in (loaded.model.get_input_embeddings(), loaded.model.get_output_embeddings()):
        rows = layer.weight.data
        rows[n_before:] = rows[:n_before].mean(dim=0, keepdim=True)


class GoldenScorer:
    """Scores candidates against a fixed set of anchors with one model.

    anchors: as token ids, in the order of the rows given; zero_shot: (K,) float32 sums of log-probabilities in nats;
    n_tokens: (K,) int32 scored answer tokens.
    """

    def __init__(self, loaded: LoadedModel, anchor_rows: Sequence[Mapping[str, str]], settings: ScoreSettings) -> None:
        from scripts.lm.score import Continuation, Scorer

        self.settings = settings
        self._loaded = loaded
        self._prompt = Prompt.from_config(settings.prompt.given()).of(loaded.tokenizer)
        self.anchors = encode_anchors(
            loaded.tokenizer,
            self._prompt,
            anchor_rows,
            max_tokens=settings.anchor_tokens,
            bos=settings.bos,
            window=loaded.window,
        )
        self._room = demonstration_room(self.anchors, loaded.window)
        if settings.kv_iter > 1:
            self._room = min(self._room, loaded.window // 2)  # a second reading stands behind the first
        self._scorer = Scorer(loaded.model, batch_tokens=settings.batch_tokens)
        self.n_tokens = np.array([len(anchor.answer_ids) for anchor in self.anchors], dtype=np.int32)
        check_answers(self.anchors, settings.anchor_tokens)
        self._blocks = self._make_blocks()
        self._packs = [
            self._scorer.pack([Continuation(self.anchors[j].query_ids, self.anchors[j].answer_ids) for j in block])
            for block in self._blocks
        ]
        self.zero_shot = self._score_zero_shot()

    def _make_blocks(self) -> list[np.ndarray]:
        """Return the indices of the anchors with an answer: one block, or several if racing may stop between them."""
        answered = np.flatnonzero(self.n_tokens)
        if len(answered) == 0:
            return []
        if self.settings.racing is None:
            return [answered]
        return answered_blocks(self.n_tokens)

    def _score_zero_shot(self) -> np.ndarray:
        before = leading_ids(self._loaded.tokenizer) if self.settings.bos == "both" else []
        prefix = self._scorer.prefill(before) if before else None
        return self._score(prefix, None)

    def encode(self, row: Mapping[str, str]) -> Demonstration:
        """Return a candidate's token ids and how it fits the window (`encode_demonstration`)."""
        return encode_demonstration(
            self._loaded.tokenizer,
            self._prompt,
            row,
            separator=self.settings.separator,
            max_tokens=self._room,
            too_long=self.settings.too_long,
        )

    def one_shot(self, ids: Sequence[int]) -> np.ndarray:
        """Return the (K,) float32 sums with a candidate before each anchor; NaN for anchors that racing left out."""
        settings = self.settings
        prefix = read_repeatedly(
            self._scorer,
            ids,
            kv_iter=settings.kv_iter,
            step_size=settings.step_size,
            momentum=settings.momentum,
        )
        return self._score(prefix, settings.racing)

    def _score(self, prefix: Any, threshold: float | None) -> np.ndarray:
        """Score all anchors after `prefix`, or as many as the decision on `threshold` needs."""
        sums = np.where(self.n_tokens == 0, np.float32(0), np.float32(np.nan)).astype(np.float32)
        for block, pack in zip(self._blocks, self._packs):
            sums[block] = self._scorer.score(prefix, pack).logprob_sums
            if threshold is not None:
                n_open = int(np.isnan(sums).sum())
                if decide(int((sums > self.zero_shot).sum()), n_open, len(sums), threshold) is not None:
                    break
        return sums


def check_answers(anchors: Sequence[Anchor], anchor_tokens: int | None) -> None:
    """Raise `UserError` unless some anchor has an answer left: else every score would be 0 and mean nothing."""
    if any(anchor.answer_ids for anchor in anchors):
        return
    n_lost = sum(anchor.cut for anchor in anchors)
    raise UserError(
        f"anchors: not one of {len(anchors)} has an answer to score ({len(anchors) - n_lost} are empty, {n_lost} lost "
        f"to anchor_tokens {anchor_tokens}); give anchors with answers, or raise anchor_tokens"
    )


def describe_anchors(anchors: Sequence[Anchor]) -> str:
    """Return one line that says how many anchors are cut or empty."""
    n_empty = sum(not anchor.answer_ids for anchor in anchors)
    n_cut = sum(anchor.cut and bool(anchor.answer_ids) for anchor in anchors)
    return (
        f"{len(anchors)} anchors, {sum(anchor.n_tokens for anchor in anchors)} tokens; {n_cut} have their answer cut, "
        f"{n_empty} have no answer left and never count as improved"
    )


def summarise(
    zero_shot: np.ndarray, one_shot: np.ndarray, n_tokens: np.ndarray, racing: float | None
) -> dict[str, Any]:
    """Return a candidate's golden score and what it rests on.

    zero_shot, one_shot: (K,) float32 sums in nats, NaN where racing stopped before; n_tokens: (K,) answer tokens.
    golden_score: improved anchors / K, under racing a lower bound on the right side of the threshold. mean_gain_nats:
    mean over the evaluated anchors with an answer of (s1 - s0) per answer token, None if there is none. decided: the
    side of the threshold, None without racing.
    """
    evaluated = ~np.isnan(one_shot)
    n_anchors, n_evaluated = len(zero_shot), int(evaluated.sum())
    n_improved = int((one_shot[evaluated] > zero_shot[evaluated]).sum())
    answered = evaluated & (n_tokens > 0)
    gains = (one_shot[answered].astype(np.float64) - zero_shot[answered]) / n_tokens[answered]
    return {
        "golden_score": n_improved / n_anchors,
        "n_improved": n_improved,
        "n_anchors": n_anchors,
        "mean_gain_nats": float(gains.mean()) if len(gains) else None,
        "n_evaluated": n_evaluated,
        "decided": None if racing is None else decide(n_improved, n_anchors - n_evaluated, n_anchors, racing),
    }


def summarise_skipped(n_anchors: int) -> dict[str, Any]:
    """Return the row of a candidate that was not scored."""
    return {
        "golden_score": None,
        "n_improved": 0,
        "n_anchors": n_anchors,
        "mean_gain_nats": None,
        "n_evaluated": 0,
        "decided": None,
    }
