"""Demonstrations as token ids: how examples are written, joined and cut (MEND's released code, from MetaICL's).

Input and output are tokenised apart, without special tokens, outputs with one leading space (not for tokenizers that
add their own, as Llama's). An example is cut to `max_example_tokens` by shortening its input; outputs survive.
Demonstrations follow each other, with a separator after the input and one after the output (both empty for GPT-2),
until the room behind which one more example must fit is used up; the last one may be cut in its input.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError
from scripts.common.settings import parse_json, parse_settings, settings_of

METHODS = ("direct", "channel")
MOST_KNOWN = 100_000  # texts whose tokens are kept: with all of MetaICL's 819,200 each process would hold gigabytes

Ids = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class PromptFormat:
    """How examples become tokens.

    method: `direct` reads the input and predicts the output, `channel` the other way round (MetaICL).
    after_input, after_output: text between the two parts and after each demonstration. With `channel` the parts change
    places, the separators stay. output_space: a blank before the predicted part (and before labels).
    max_example_tokens: longest example; max_tokens: longest text of the LLM; max_distiller_tokens: of the distiller
    (256, 1,024 and 900 in the paper's code).
    """

    method: str
    after_input: str
    after_output: str
    output_space: bool
    max_example_tokens: int
    max_tokens: int
    max_distiller_tokens: int

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise UserError(f"format.method: '{self.method}' is not one of {', '.join(METHODS)}")
        if self.max_example_tokens < 2:
            raise UserError(f"format.max_example_tokens: {self.max_example_tokens} is below 2")
        for name in ("max_tokens", "max_distiller_tokens"):
            if getattr(self, name) <= self.max_example_tokens + 1:
                raise UserError(
                    f"format.{name}: {getattr(self, name)} leaves no room for demonstrations before an example of"
                    f" {self.max_example_tokens} tokens; raise it or lower format.max_example_tokens"
                )

    def check_window(self, window: int, name: str) -> None:
        """Raise `UserError` if the format `name` lets texts grow beyond the large model's window."""
        if self.max_tokens > window:
            raise UserError(
                f"format {name}: max_tokens {self.max_tokens} exceeds the model's window of {window}; lower it"
            )

    @property
    def llm_room(self) -> int:
        """Return how many tokens of demonstrations the LLM reads: one example and one token stay free."""
        return self.max_tokens - self.max_example_tokens - 1

    @property
    def distiller_room(self) -> int:
        """Return how many tokens of demonstrations the distiller reads."""
        return self.max_distiller_tokens - self.max_example_tokens - 1


@dataclasses.dataclass(frozen=True)
class Example:
    """One encoded example: `given` is read, `predicted` is what the loss or the score is about.

    between, after: the separators. `given + between` is the query.
    """

    given: Ids
    between: Ids
    predicted: Ids
    after: Ids

    @property
    def ids(self) -> Ids:
        """Return the example as a demonstration."""
        return (*self.given, *self.between, *self.predicted, *self.after)

    @property
    def query(self) -> Ids:
        """Return the example up to what is to be predicted."""
        return (*self.given, *self.between)


@dataclasses.dataclass(frozen=True)
class Joined:
    """Demonstrations as one run of tokens: how many of them fitted, and where each begins and ends in `ids`."""

    ids: Ids
    spans: tuple[tuple[int, int], ...]

    @property
    def n_used(self) -> int:
        """Return how many demonstrations fitted."""
        return len(self.spans)


class Encoder:
    """Encodes examples with one tokenizer and one format; it keeps the tokens of texts that it has seen."""

    def __init__(self, tokenizer: Any, form: PromptFormat) -> None:
        self.form = form
        self._tokenizer = tokenizer
        self._known: dict[str, Ids] = {}

    def unkept(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of texts that come once only, without special tokens."""
        return self._tokenizer(list(texts), add_special_tokens=False)["input_ids"] if texts else []

    def ids(self, text: str) -> Ids:
        """Return a text's token ids, without special tokens."""
        if text not in self._known:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[text] = tuple(self._tokenizer(text, add_special_tokens=False)["input_ids"]) if text else ()
        return self._known[text]

    def learn(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Tokenise the inputs of many rows in one call, of as many as are kept."""
        texts = sorted({self._input_text(row["input"]) for row in rows} - self._known.keys() - {""})
        texts = texts[: max(0, MOST_KNOWN - len(self._known))]
        if texts:
            encoded = self._tokenizer(texts, add_special_tokens=False)["input_ids"]
            self._known.update({text: tuple(ids) for text, ids in zip(texts, encoded)})

    def example(self, row: Mapping[str, Any], output: str | None = None) -> Example:
        """Return a row of the classification schema as tokens, cut to `max_example_tokens`.

        output: another output than the row's own (an option). An empty input or output takes no separator with it.
        """
        output = row["output"] if output is None else output
        first, second = self.ids(self._input_text(row["input"])), self.ids(self._output_text(output))
        if self.form.method == "channel":
            first, second = second, first
        between = self.ids(self.form.after_input) if first and second else ()
        after = self.ids(self.form.after_output)
        return cut_example(
            Example(first, between, second, after), self.form.max_example_tokens, self.form.method == "channel"
        )

    def query(self, row: Mapping[str, Any], output: str | None = None) -> Example:
        """Return a row to be answered: as `example`, but the separator stays where the input is empty."""
        found = self.example(row, output)
        return dataclasses.replace(found, between=self.ids(self.form.after_input), after=())

    def _input_text(self, text: str) -> str:
        return f" {text}" if text and self.form.output_space and self.form.method == "channel" else text

    def _output_text(self, text: str) -> str:
        return f" {text}" if text and self.form.output_space else text


def cut_example(example: Example, limit: int, channel: bool = False) -> Example:
    """Return the example with at most `limit` tokens: its input is cut first, then (if it must) its output.

    The input is `predicted` where channel is True.
    """
    shorter, kept = ("predicted", "given") if channel else ("given", "predicted")
    fixed = len(example.between) + len(example.after)
    output = getattr(example, kept)[: max(1, limit - fixed)]
    room = max(0, limit - fixed - len(output))
    return dataclasses.replace(example, **{kept: output, shorter: getattr(example, shorter)[:room]})


def join(examples: Sequence[Example], room: int, *, channel: bool = False) -> Joined:
    """Return demonstrations one after the other in at most `room` tokens.

    The first that does not fit is cut in its input if that makes it fit, and ends the run. Raises `UserError` if not
    even the first one fits.
    """
    ids: list[int] = []
    spans: list[tuple[int, int]] = []
    for example in examples:
        left = room - len(ids)
        whole = len(example.ids) <= left
        if not whole:
            output = example.given if channel else example.predicted
            if len(output) + len(example.between) + len(example.after) > left:
                break
            example = cut_example(example, left, channel)
        spans.append((len(ids), len(ids) + len(example.ids)))
        ids.extend(example.ids)
        if not whole:
            break
    if examples and not spans:
        raise UserError(
            f"demonstration 1: its output of {len(examples[0].predicted)} tokens exceeds the {room} tokens that the"
            " window leaves for demonstrations; shorten it, or raise format.max_tokens and max_distiller_tokens"
        )
    return Joined(tuple(ids), tuple(spans))


def split_groups(examples: Sequence[Example], groups: int) -> list[list[Example]]:
    """Return demonstrations in `groups` runs of nearly equal size, in their order (FiD-like batches).

    Raises `UserError` if there are fewer demonstrations than groups.
    """
    if not 1 <= groups <= len(examples):
        raise UserError(f"groups: {groups} batches of {len(examples)} demonstrations; give 1 to {len(examples)}")
    bounds = [round(index * len(examples) / groups) for index in range(groups + 1)]
    return [list(examples[start:end]) for start, end in itertools.pairwise(bounds)]


def parse_format(text: str) -> PromptFormat:
    """Return the format of a `--format` flag. Raises `UserError` for broken JSON, unknown and missing keys."""
    return parse_settings(PromptFormat, text, "--format")


def parse_formats(text: str) -> dict[str, PromptFormat]:
    """Return the formats of a `--formats` flag by name. Raises `UserError` if it is not an object of formats."""
    found = parse_json("--formats", text, dict)
    if "default" not in found:
        raise UserError("--formats: expected a JSON object of formats with one called 'default'")
    return {name: settings_of(PromptFormat, value, f"--formats: {name}") for name, value in found.items()}
