"""From examples to token ids, exactly as the released NUGGETS code does it (scoring text of arXiv 2312.10302).

The text of an example is its query (instruction, input if there is one, the word `Response:`) followed by its output,
all fields stripped. A demonstration is the whole text with the tokenizer's default special tokens; an anchor is the
whole text without any, split where the query, tokenised alone, would end.

Departures from the paper's wording, or from plain care, that the released code makes and we follow by default:
# DEVIATION: no separator stands between demonstration and anchor (`separator` puts one there).
# DEVIATION: the zero-shot run has no beginning-of-sequence token while the one-shot run has one (`bos: both` adds it).
# DEVIATION: anchors are cut to 200 tokens, so one with a query of that length has an empty answer (`anchor_tokens`).
Departures from the released code that we make:
# DEVIATION: it adds a `[PAD]` word to the vocabulary, whose mean embedding takes a little probability; we pad nothing.
# DEVIATION: it runs demonstrations past the context window; we refuse, cut or skip them (`too_long`).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from scripts.common.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BOS_POLICIES = ("paper", "both")
TOO_LONG_POLICIES = ("error", "truncate", "skip")


@dataclasses.dataclass(frozen=True)
class Prompt:
    """Templates of the text up to the answer, with `{instruction}` and `{input}` as places to fill."""

    with_input: str
    without_input: str

    @classmethod
    def from_config(cls, templates: Mapping[str, str]) -> Prompt:
        """Build a prompt from the map of the config. Raises `UserError` for a missing or unknown key or place."""
        names = [field.name for field in dataclasses.fields(cls)]
        for key in templates:
            if key not in names:
                raise UserError(f"prompt: unknown key '{key}'{did_you_mean(key, names)}; expected {', '.join(names)}")
        places = {"with_input": ("{instruction}", "{input}"), "without_input": ("{instruction}",)}
        for name in names:
            if name not in templates:
                raise UserError(f"prompt: key '{name}' is missing; expected {', '.join(names)}")
            for place in places[name]:
                if place not in templates[name]:
                    raise UserError(f"prompt: template '{name}' has no place {place}; put it in")
        return cls(**templates)

    def query(self, row: Mapping[str, str]) -> str:
        """Return the text up to where the answer starts."""
        given = row["input"].strip()
        before, _, after = (self.with_input if given else self.without_input).partition("{instruction}")
        # Filled in one place after the other: braces in the user's text are text, never places.
        if "{input}" in before:
            before = before.replace("{input}", given)
        elif given:
            after = after.replace("{input}", given)
        return before + row["instruction"].strip() + after

    def full(self, row: Mapping[str, str]) -> str:
        """Return the text with its answer."""
        return self.query(row) + row["output"].strip()


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


# verbose=False: what is too long for the model is cut, skipped or refused here, so the tokenizer need not warn of it.
def plain_ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Return the token ids of a text without special tokens."""
    return list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def default_ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Return the token ids of a text with the special tokens that the tokenizer adds by default."""
    return list(tokenizer(text, verbose=False)["input_ids"])


def leading_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Return the special tokens that the tokenizer puts before a text by default (beginning of sequence, or none)."""
    plain, whole = plain_ids(tokenizer, "a"), default_ids(tokenizer, "a")
    for n_leading in range(len(whole) - len(plain) + 1):
        if whole[n_leading : n_leading + len(plain)] == plain:
            return whole[:n_leading]
    raise UserError("tokenizer: special tokens change how a text is split; choose a model with another tokenizer")


def split_answer(
    tokenizer: PreTrainedTokenizerBase, query: str, full: str, max_tokens: int | None = None
) -> tuple[list[int], list[int], int]:
    """Return (query ids, answer ids, answer tokens before the cut) of a text, without special tokens.

    The whole text is tokenised at once; its answer starts after as many tokens as the query alone has. Where a token
    spans the seam, the split falls as in the released code, not between the characters. max_tokens: the whole is cut to
    this length.
    """
    n_query = len(plain_ids(tokenizer, query))
    ids = plain_ids(tokenizer, full)
    kept = ids if max_tokens is None else ids[:max_tokens]
    return kept[:n_query], kept[n_query:], max(0, len(ids) - n_query)


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
) -> tuple[int, ...] | None:
    """Return a candidate's whole text as token ids with the default special tokens, None if it is to be skipped.

    separator: text added at its end. max_tokens: what the longest anchor leaves of the window. too_long: `error` raises
    `UserError` for a longer one, `truncate` keeps its first tokens (and, with them, the separator only if it fits),
    `skip` returns None.
    """
    ids = default_ids(tokenizer, prompt.full(row) + separator)
    if len(ids) <= max_tokens:
        return tuple(ids)
    check_choice("too_long", too_long, TOO_LONG_POLICIES)
    if too_long == "error":
        raise UserError(
            f"candidate '{row['id']}': {len(ids)} tokens, but the longest anchor leaves {max_tokens} of the model's "
            f"window; set too_long to truncate or skip, lower anchor_tokens, or use a model with a longer window"
        )
    return tuple(ids[:max_tokens]) if too_long == "truncate" else None


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


def check_choice(key: str, value: Any, known: Sequence[str]) -> None:
    """Raise `UserError` unless `value` is one of `known`."""
    if value not in known:
        raise UserError(f"{key}: unknown value '{value}'{did_you_mean(str(value), known)}; use {', '.join(known)}")
