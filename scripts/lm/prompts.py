"""Prompt templates of instruction rows, and texts as token ids: what several papers' scoring and training share."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any, Mapping

from scripts.common.errors import UserError
from scripts.common.settings import parse_json, settings_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclasses.dataclass(frozen=True)
class Prompt:
    """Templates of the text up to the answer, with `{instruction}` and `{input}` as places to fill, and of the answer.

    answer: text of the answer, with `{output}` as place. strip: whether white space at both ends of a field is dropped
    before it is filled in; what the templates themselves hold always stays. A row without input is one whose input is
    empty, after that.
    """

    with_input: str
    without_input: str
    answer: str = "{output}"
    strip: bool = True

    @classmethod
    def from_config(cls, templates: Mapping[str, Any]) -> Prompt:
        """Build a prompt from the map of the config. Raises `UserError` for a missing or unknown key or place."""
        places = {
            "with_input": ("{instruction}", "{input}"),
            "without_input": ("{instruction}",),
            "answer": ("{output}",),
        }
        prompt = settings_of(cls, templates, "prompt")
        for name, needed in places.items():
            for place in needed:
                if place not in getattr(prompt, name):
                    raise UserError(f"prompt: template '{name}' has no place {place}; put it in")
        return prompt

    def field(self, row: Mapping[str, str], name: str) -> str:
        """Return a row's field as it is filled in."""
        return row[name].strip() if self.strip else row[name]

    def query(self, row: Mapping[str, str]) -> str:
        """Return the text up to where the answer starts."""
        given = self.field(row, "input")
        before, _, after = (self.with_input if given else self.without_input).partition("{instruction}")
        # Filled in one place after the other: braces in the user's text are text, never places.
        if "{input}" in before:
            before = before.replace("{input}", given)
        elif given:
            after = after.replace("{input}", given)
        return before + self.field(row, "instruction") + after

    def response(self, row: Mapping[str, str]) -> str:
        """Return the text of the answer."""
        return self.answer.replace("{output}", self.field(row, "output"))

    def full(self, row: Mapping[str, str]) -> str:
        """Return the text with its answer."""
        return self.query(row) + self.response(row)


def prompt_of_flag(text: str) -> Prompt:
    """Return the templates of `--prompt`. Raises `UserError` for broken JSON and for a missing or unknown key."""
    return Prompt.from_config(parse_json("--prompt", text, dict))


def joined_instruction(row: Mapping[str, str]) -> str:
    """Return instruction and input as one text, for judges and formats that know no input."""
    return f"{row['instruction']}\n\n{row['input']}" if row["input"] else row["instruction"]


def fill(template: str, /, **values: str) -> str:
    """Fill the places of a template in one pass: braces in a value are text, never places; unknown places stay."""
    return re.sub(r"\{(\w+)\}", lambda place: values.get(place[1], place[0]), template)


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
