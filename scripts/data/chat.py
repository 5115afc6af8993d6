"""Conversations as instruction rows: `messages` (LESS, TRL, chat APIs), ShareGPT's `conversations` and their kin.

turns=first takes the first question of the user and the answer to it; turns=last the last answer, given all before it.
What the system says stands before the question. Of several turns each line of the instruction says whose it is.
"""

from __future__ import annotations

import logging
from typing import Any, Mapping, NamedTuple, Sequence

from scripts.common.errors import did_you_mean
from scripts.common.json_text import JsonFault, decode

LOG = logging.getLogger(__name__)

COLUMNS = ("messages", "conversations", "conversation")
WAYS = ("first", "last")
ROLES = {
    "user": "user", "human": "user", "prompter": "user", "instruction": "user",
    "assistant": "assistant", "gpt": "assistant", "bot": "assistant", "chatgpt": "assistant", "model": "assistant",
    "bing": "assistant", "bard": "assistant",
    "system": "system", "developer": "system",
    "tool": "tool", "function": "tool", "observation": "tool", "function_call": "tool", "function_response": "tool",
}  # fmt: skip
"""What the speakers are called in a file -> whose turn it is."""


class Turn(NamedTuple):
    """One turn of a conversation: user, assistant, system or tool, and what is said."""

    role: str
    text: str


class Told(NamedTuple):
    """A conversation as an instruction row; n_left_out: further answers that are not in it."""

    instruction: str
    output: str
    n_left_out: int


class ChatFault(Exception):
    """Why a conversation cannot be read, and how to mend it."""


def turns_of(values: Mapping[str, Any]) -> Sequence[Any] | None:
    """Return the turns that a row holds under one of the usual columns, None where it holds no conversation.

    TRL's rows of `prompt` and `completion` as lists of messages are one conversation. A table keeps the list as JSON
    text.
    """
    for name in COLUMNS:
        value = _from_text(values.get(name))
        if is_conversation(value) or value == []:
            return value
    prompt, completion = values.get("prompt"), values.get("completion")
    if is_conversation(prompt) and is_conversation(completion):
        return [*prompt, *completion]
    return None


def is_conversation(value: Any) -> bool:
    """Tell whether a value is a list of turns, each with a speaker."""
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) and _speaker(one) for one in value)


def _from_text(value: Any) -> Any:
    """Return what a JSON list in text form holds, any other value as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith("["):
        return value
    try:
        return decode(value)
    except JsonFault:
        return value


def _speaker(turn: Mapping[str, Any]) -> str | None:
    return next((name for name in ("role", "from") if turn.get(name) is not None), None)


def read_turns(values: Sequence[Mapping[str, Any]], system: Any = None) -> list[Turn]:
    """Return the turns of a conversation; turns without text that only call a tool are left out.

    system: what ShareGPT keeps beside the conversation. Raises `ChatFault` for an unknown speaker or what is no text.
    """
    turns = [Turn("system", system.strip())] if isinstance(system, str) and system.strip() else []
    for number, one in enumerate(values, start=1):
        name = one[_speaker(one)]  # type: ignore[index]
        role = ROLES.get(str(name).lower())
        if role is None:
            raise ChatFault(
                f"turn {number} is of '{name!s:.40}'{did_you_mean(str(name), list(ROLES))}; name it user, assistant, "
                "system or tool"
            )
        said = next((one[key] for key in ("content", "value", "text") if one.get(key) is not None), None)
        text = _said(said, number)
        if text.strip() or not (one.get("tool_calls") or one.get("function_call")):
            turns.append(Turn(role, text))
    return turns


def _said(value: Any, number: int) -> str:
    """Return the text of a turn; of several parts (chat APIs) those of text, one a line."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        parts = [one if isinstance(one, str) else one.get("text") if isinstance(one, dict) else None for one in value]
        if all(isinstance(part, str) for part in parts):
            return "\n".join(parts)
        raise ChatFault(f"turn {number} has parts that are no text; only text can be read, remove the row")
    raise ChatFault(f"turn {number} says {type(value).__name__}, not text; mend the row")


def told_of(turns: Sequence[Turn], way: str) -> Told:
    """Return a conversation as an instruction row. Raises `ChatFault` where there is no question with an answer."""
    answers = [place for place, turn in enumerate(turns) if turn.role == "assistant" and turn.text.strip()]
    asked = next((place for place, turn in enumerate(turns) if turn.role == "user" and turn.text.strip()), None)
    after = [place for place in answers if asked is not None and place > asked]
    if not after:
        missing = "user's turn" if asked is None else "answer to the user's turn"
        raise ChatFault(f"the conversation has no {missing}; mend or remove the row")
    last = after[0] if way == "first" else after[-1]
    before = list(turns[:last])
    if way == "first":  # a greeting before the question is no part of it
        before = [turn for place, turn in enumerate(before) if turn.role == "system" or place >= asked]  # type: ignore[operator]
    system = "\n".join(turn.text.strip() for turn in before if turn.role == "system" and turn.text.strip())
    spoken = [turn for turn in before if turn.role != "system" and turn.text.strip()]
    if all(turn.role == "user" for turn in spoken):
        question = "\n".join(turn.text for turn in spoken)
    else:
        question = "\n".join(f"{turn.role}: {turn.text}" for turn in spoken)
    n_left_out = sum(place > last for place in answers)
    return Told(f"{system}\n\n{question}" if system else question, turns[last].text, n_left_out)
