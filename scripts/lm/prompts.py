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
    empty, after that. chat: the templates are the user's turn, which `of` puts into the chat template of a tokenizer.
    """

    with_input: str
    without_input: str
    answer: str = "{output}"
    strip: bool = True
    chat: bool = False

    @classmethod
    def from_config(cls, templates: Mapping[str, Any]) -> Prompt:
        """Build a prompt from the map of the config.

        Raises `UserError` for a missing or unknown key or place, or a value that is no text, or not true or false.
        """
        places = {
            "with_input": ("{instruction}", "{input}"),
            "without_input": ("{instruction}",),
            "answer": ("{output}",),
        }
        prompt = settings_of(cls, templates, "prompt")
        for name in ("strip", "chat"):
            if not isinstance(getattr(prompt, name), bool):
                raise UserError(f"prompt: {name} is {getattr(prompt, name)!r}; give true or false")
        for name, needed in places.items():
            if not isinstance(getattr(prompt, name), str):
                raise UserError(f"prompt: template '{name}' is {getattr(prompt, name)!r}; give a text")
            for place in needed:
                if place not in getattr(prompt, name):
                    raise UserError(f"prompt: template '{name}' has no place {place}; put it in")
        return prompt

    def field(self, row: Mapping[str, str], name: str) -> str:
        """Return a row's field as it is filled in."""
        return row[name].strip() if self.strip else row[name]

    def of(self, tokenizer: PreTrainedTokenizerBase) -> Prompt:
        """Return the prompt as texts for a tokenizer's model: with `chat` in its chat template, else as it is.

        Raises `UserError` if `chat` is asked of a tokenizer that has no chat template.
        """
        if not self.chat:
            return self
        if not getattr(tokenizer, "chat_template", None):
            raise UserError(
                "prompt: chat is asked for, but the model's tokenizer has no chat template; choose another prompt, or "
                "a model tuned to instructions"
            )
        return ChatPrompt(**dataclasses.asdict(self), tokenizer=tokenizer)

    def of_model(self, source: str) -> Prompt:
        """Return `of` the tokenizer of a model's folder or hub id, which is read only where `chat` asks for it."""
        if not self.chat:
            return self
        from scripts.lm.load import load_tokenizer

        return self.of(load_tokenizer(source))

    def query(self, row: Mapping[str, str]) -> str:
        """Return the text up to where the answer starts; of a chat that no tokenizer has yet, the user's turn."""
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

    def shown(self, row: Mapping[str, str]) -> str:
        """Return the text with its answer as it stands before another text: a chat's turn is closed."""
        return self.full(row)

    def continued(self, row: Mapping[str, str]) -> str:
        """Return the text up to where the answer starts, of a later turn of a conversation."""
        return self.query(row)

    def closing(self, separator: str) -> str:
        """Return what stands between an answer and the next turn: the separator, or what closes a turn of a chat."""
        return separator


EARLIER = [{"role": "user", "content": "question-1"}, {"role": "assistant", "content": "answer-1"}]
"""A conversation so far, to find out what a chat template puts behind it."""


@dataclasses.dataclass(frozen=True)
class ChatPrompt(Prompt):
    """A prompt in the chat template of a tokenizer: its texts bring their special tokens.

    A beginning-of-sequence token that the tokenizer puts before every text by itself is left out of them.
    """

    tokenizer: Any = None

    def query(self, row: Mapping[str, str]) -> str:
        """Return the user's turn and the beginning of the assistant's, where the answer starts."""
        return self._rendered([{"role": "user", "content": super().query(row)}], add_generation_prompt=True)

    def shown(self, row: Mapping[str, str]) -> str:
        """Return both turns, closed as the template closes them."""
        turns = [
            {"role": "user", "content": super().query(row)},
            {"role": "assistant", "content": self.response(row)},
        ]
        return self._rendered(turns, add_generation_prompt=False)

    def continued(self, row: Mapping[str, str]) -> str:
        """Return a later user's turn, as the template puts it behind a first one, and the assistant's beginning."""
        text = Prompt.query(self, row)
        before = self._rendered(EARLIER, add_generation_prompt=False)
        whole = self._rendered([*EARLIER, {"role": "user", "content": text}], add_generation_prompt=True)
        return whole.removeprefix(before) if whole.startswith(before) else self.query(row)

    def closing(self, separator: str) -> str:
        """Return what the template puts behind an answer; the separator where it puts nothing there."""
        return self._rendered(EARLIER, add_generation_prompt=False).rpartition(EARLIER[1]["content"])[2] or separator

    def _rendered(self, turns: list[dict[str, str]], *, add_generation_prompt: bool) -> str:
        try:
            text = self.tokenizer.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=add_generation_prompt
            )
        except Exception as error:  # noqa: BLE001 - a template is a program of its own, and may fail in any way
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            raise UserError(f"prompt: the model's chat template fails ({reason}); choose another prompt") from None
        start = self.tokenizer.bos_token
        doubled = start and leading_ids(self.tokenizer) == [self.tokenizer.bos_token_id]
        return text.removeprefix(start) if doubled else text


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
