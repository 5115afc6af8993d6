"""From examples to token ids, exactly as the released NUGGETS code does it (scoring text of arXiv 2312.10302).

The text of an example is its query (instruction, input if there is one, the word `Response:`) followed by its output,
all fields stripped. A demonstration is the whole text with the tokenizer's default special tokens; an anchor is the
whole text without any, split where the query, tokenised alone, would end.

Departures from the paper's wording, or from plain care, that the released code makes and we follow by default:
# DEVIATION: no separator stands between demonstration and anchor (`separator` puts one there).
# DEVIATION: the zero-shot run has no beginning-of-sequence token while the one-shot run has one (`bos: both` adds it).
# DEVIATION: anchors are cut to 200 tokens, so one with a query of that length has an empty answer (`anchor_tokens`).
Departures from the released code that we make:
# DEVIATION: it adds a `[PAD]` word to the vocabulary, which takes a little probability; we do so by `pad_word` only.
# DEVIATION: it runs demonstrations past the context window; we refuse, cut or skip them (`too_long`).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Mapping, Sequence

from scripts.common.errors import UserError
from scripts.common.settings import check_choice
from scripts.lm.prompts import Prompt, default_ids, leading_ids, plain_ids, split_answer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BOS_POLICIES = ("paper", "both")
TOO_LONG_POLICIES = ("error", "truncate", "skip")


@dataclasses.dataclass(frozen=True)
class Anchor:
    """One anchor as token ids.

    query_ids: the text up to the answer; answer_ids: the scored tokens, none if the cut took them all. n_full: answer
    tokens before the cut.
    """

    id: str
    query_ids: tuple[int, ...]
    answer_ids: tuple[int, ...]
    n_full: int

    @property
    def n_tokens(self) -> int:
        """All tokens that the model reads for this anchor."""
        return len(self.query_ids) + len(self.answer_ids)

    @property
    def cut(self) -> bool:
        """Whether some of the answer is not scored."""
        return len(self.answer_ids) < self.n_full


@dataclasses.dataclass(frozen=True)
class Demonstration:
    """A candidate as token ids, None where it is not scored, and how it fits the window.

    fit: `whole`; `cut`, the end of its answer is lost; `answer_lost`, nothing of its answer would be left, so it is not
    scored; `skipped`, it is too long and `too_long` says so.
    """

    ids: tuple[int, ...] | None
    fit: str


def encode_anchors(
    tokenizer: PreTrainedTokenizerBase,
    prompt: Prompt,
    rows: Sequence[Mapping[str, str]],
    *,
    max_tokens: int | None,
    bos: str,
    window: int,
) -> list[Anchor]:
    """Return the anchors as token ids, in the order of `rows`.

    max_tokens: length of the cut, None for no cut. bos: `paper` or `both`. window: the model's context in tokens.
    Raises `UserError` for an anchor that does not fit the window even without a demonstration.
    """
    check_choice("bos", bos, BOS_POLICIES)
    if max_tokens is not None and max_tokens < 1:
        raise UserError(f"anchor_tokens: {max_tokens} leaves nothing of an anchor; give at least 1 or null")
    n_leading = len(leading_ids(tokenizer)) if bos == "both" else 0
    anchors = []
    for row in rows:
        query_ids, answer_ids, n_full = split_answer(tokenizer, prompt.query(row), prompt.full(row), max_tokens)
        anchor = Anchor(row["id"], tuple(query_ids), tuple(answer_ids), n_full)
        if n_leading + anchor.n_tokens > window:
            raise UserError(
                f"anchor '{anchor.id}': {anchor.n_tokens} tokens do not fit the model's window of {window}; "
                f"remove it or lower anchor_tokens"
            )
        anchors.append(anchor)
    return anchors


def encode_demonstration(
    tokenizer: PreTrainedTokenizerBase,
    prompt: Prompt,
    row: Mapping[str, str],
    *,
    separator: str,
    max_tokens: int,
    too_long: str,
) -> Demonstration:
    """Return a candidate's whole text as token ids with the default special tokens.

    separator: text added at its end. max_tokens: what the longest anchor leaves of the window. too_long: `error` raises
    `UserError` for a longer one, `truncate` keeps its first tokens (and, with them, the separator only if it fits)
    unless that would leave nothing of its answer, `skip` leaves it out.
    """
    ids = default_ids(tokenizer, prompt.shown(row) + separator)
    if len(ids) <= max_tokens:
        return Demonstration(tuple(ids), "whole")
    check_choice("too_long", too_long, TOO_LONG_POLICIES)
    if too_long == "error":
        raise UserError(
            f"candidate '{row['id']}': {len(ids)} tokens, but the longest anchor leaves {max_tokens} of the model's "
            f"window; set too_long to truncate or skip, lower anchor_tokens, or use a model with a longer window"
        )
    if too_long == "skip":
        return Demonstration(None, "skipped")
    answer_start = len(leading_ids(tokenizer)) + len(plain_ids(tokenizer, prompt.query(row)))
    if answer_start >= max_tokens:
        return Demonstration(None, "answer_lost")
    answer_end = len(default_ids(tokenizer, prompt.full(row)))
    return Demonstration(tuple(ids[:max_tokens]), "cut" if max_tokens < answer_end else "whole")


def describe_fits(fits: Sequence[str]) -> str:
    """Return one line that counts the candidates which are not scored as they are, empty if there are none."""
    told = {
        "cut": "lose the end of their answer",
        "answer_lost": "would lose their whole answer and are skipped",
        "skipped": "do not fit the window and are skipped",
    }
    counts = {fit: fits.count(fit) for fit in told}
    parts = [f"{counts[fit]} {what}" for fit, what in told.items() if counts[fit]]
    return f"of {len(fits)} candidates {', '.join(parts)}; column fit of the scores names them" if parts else ""


def demonstration_room(anchors: Sequence[Anchor], window: int) -> int:
    """Return how many tokens of the window the longest anchor leaves. Raises `UserError` if that is none."""
    longest = max(anchors, key=lambda anchor: anchor.n_tokens)
    room = window - longest.n_tokens
    if room < 1:
        raise UserError(
            f"anchor '{longest.id}': {longest.n_tokens} tokens leave no room for a demonstration in the model's window "
            f"of {window}; remove it or lower anchor_tokens"
        )
    return room
