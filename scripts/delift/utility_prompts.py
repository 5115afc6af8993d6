"""The texts of DELIFT's utility kernel as token ids (DELIFT, section 3.1).

A target is asked alone, or behind an example. The prompt with an example is the `example` template, filled with the
example, followed by the `query` template, filled with the target: what comes before that seam depends on the example
only, so that it can be run once for all targets. Prompt and response are tokenised apart, without special tokens, and
joined with the end-of-text token between and after them; the response tokens and the one after them are scored.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Mapping, Sequence

import numpy as np

from scripts.common.errors import UserError
from scripts.delift.settings_choose import SpecialTokens, Templates, UtilitySettings
from scripts.lm.prompts import Prompt, fill, plain_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PLACES = {"alone": ("prompt",), "example": ("prompt", "response"), "query": ("prompt",)}


def check_places(templates: Templates) -> None:
    """Raise `UserError` for a template without one of its places `{prompt}`, `{response}`."""
    for key, places in PLACES.items():
        for place in places:
            if f"{{{place}}}" not in getattr(templates, key):
                raise UserError(f"templates: '{key}' has no place {{{place}}}; put it in")


@dataclasses.dataclass(frozen=True)
class Target:
    """A target as token ids. alone: its whole prompt without example; query: what follows an example; response: scored.

    `alone` and `query` end in the token that stands between prompt and response, `response` in the one after it.
    """

    alone: tuple[int, ...]
    query: tuple[int, ...]
    response: tuple[int, ...]


class Encoder:
    """Turns rows into token ids with one tokenizer. Raises `UserError` where the tokenizer cannot do what is asked."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, settings: UtilitySettings) -> None:
        check_places(settings.templates)
        self.tokenizer = tokenizer
        self.prompt = Prompt.from_config(settings.prompt.given()).of(tokenizer)
        self.templates = settings.templates
        self.special = _special_ids(tokenizer, settings.special_tokens)
        if not tokenizer.is_fast:
            raise UserError("tokenizer: it gives no character positions; use a model with a fast tokenizer")

    def target(self, row: Mapping[str, str]) -> Target:
        """Return a target's token ids."""
        text = self.prompt.query(row)
        alone = plain_ids(self.tokenizer, fill(self.templates.alone, prompt=text))
        shown = self.templates.example
        stub = f"x{shown[shown.rindex('}') + 1 :]}"  # what stands before the seam decides nothing behind it but spaces
        query = self._split(stub, fill(self.templates.query, prompt=text))[1]
        response = plain_ids(self.tokenizer, self.prompt.response(row))
        before, between, after = (self.special[name] for name in ("before", "between", "after"))
        return Target((*before, *alone, *between), (*query, *between), (*response, *after))

    def example(self, row: Mapping[str, str]) -> tuple[int, ...]:
        """Return an example's token ids, up to the seam."""
        ids = self._split(self._example_text(row), self._query_text(row))[0]
        return (*self.special["before"], *ids)

    def check_seam(self, example: Mapping[str, str], target: Mapping[str, str]) -> None:
        """Raise `UserError` if example and target, tokenised as one text, have other ids than one after the other."""
        whole = plain_ids(self.tokenizer, self._example_text(example) + self._query_text(target))
        joined = (*self.special["before"], *whole, *self.special["between"])
        if joined != (*self.example(example), *self.target(target).query):
            raise UserError(
                "templates: this tokenizer joins the end of 'example' with the beginning of 'query'; let 'example' end"
                " in a line break and 'query' begin with a word"
            )

    def _example_text(self, row: Mapping[str, str]) -> str:
        return fill(self.templates.example, prompt=self.prompt.query(row), response=self.prompt.response(row))

    def _query_text(self, row: Mapping[str, str]) -> str:
        return fill(self.templates.query, prompt=self.prompt.query(row))

    def _split(self, before: str, after: str) -> tuple[list[int], list[int]]:
        """Return the token ids of one text in two parts. Raises `UserError` if a token lies across the seam."""
        encoded = self.tokenizer(before + after, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        ids, offsets = encoded["input_ids"], encoded["offset_mapping"]
        n_before = sum(start < len(before) for start, _ in offsets)
        if any(start < len(before) < end for start, end in offsets):
            raise UserError(
                "templates: a token of this tokenizer lies across the end of 'example'; let it end in a line break"
            )
        return list(ids[:n_before]), list(ids[n_before:])


def _special_ids(tokenizer: PreTrainedTokenizerBase, wanted: SpecialTokens) -> dict[str, tuple[int, ...]]:
    """Return the token ids to put before, between and after."""
    ids: dict[str, tuple[int, ...]] = {}
    for key, name in wanted.given().items():
        token = {"none": None, "bos": tokenizer.bos_token_id, "eos": tokenizer.eos_token_id}[name]
        if name != "none" and token is None:
            raise UserError(f"special_tokens.{key}: the tokenizer has no {name} token; set it to none")
        ids[key] = () if token is None else (token,)
    return ids


def released_limits(targets: Sequence[Target], n_special: int, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the most tokens of each target that the released code keeps, alone and behind an example.

    It sorts the targets by length, splits them into batches of nearly equal number and cuts each batch at its longest
    prompt plus response, counted without the end-of-text tokens that it has already put in: the longest items lose
    their last `n_special` tokens. (Where lengths are equal its order is not stable; ours is.)
    """
    response = np.array([len(target.response) for target in targets])
    alone = np.array([len(target.alone) for target in targets]) + response
    behind = np.array([len(target.query) for target in targets]) + response
    limits = np.empty_like(alone), np.empty_like(behind)
    order = np.argsort(alone, kind="stable")
    for rows in np.array_split(order, -(-len(targets) // batch)):
        for limit, lengths in zip(limits, (alone, behind)):
            limit[rows] = lengths[rows].max() - n_special
    return limits


def cut(query: tuple[int, ...], response: tuple[int, ...], limit: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return query and response with at most `limit` tokens in all, the end taken off."""
    kept = max(0, int(limit))
    return query[:kept], response[: max(0, kept - len(query))]


def describe(targets: Sequence[Any]) -> str:
    """Return the number of targets and of their response tokens, in words."""
    tokens = [len(target.response) for target in targets]
    return f"{len(tokens)} targets with {sum(tokens)} response tokens ({min(tokens)} to {max(tokens)})"
