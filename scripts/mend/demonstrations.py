"""Demonstrations as token ids: how examples are written, joined and cut, as in MEND's or in MetaICL's released code.

Input and output are tokenised apart, without special tokens. An example is cut to `max_example_tokens` less two by
shortening its input; outputs survive. How examples are held apart and how much of them is read differs between the two
releases: see `PromptFormat`.

# DEVIATION: where even the output of an example exceeds its room, both releases stop with an error; here it is cut.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError
from scripts.common.settings import check_choice, parse_json, parse_settings, settings_of

METHODS = ("direct", "channel")
SEPARATORS = ("apart", "metaicl_newlines", "metaicl_blanks")
ROOMS = ("mend", "metaicl")
MOST_KNOWN = 100_000  # texts whose tokens are kept: with all of MetaICL's 819,200 each process would hold gigabytes
RESERVED = 2  # tokens that both releases keep free in an example
HALVED = ("inst:piqa", "inst:yahoo_answers_topics")  # tasks whose long examples are cut in both parts, to a half each
INSTRUCTED = "inst:"  # how the names of tasks with instructions begin: there the longer part is cut

Ids = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class PromptFormat:
    """How examples become tokens.

    method: `direct` reads the input and predicts the output, `channel` the other way round (MetaICL).

    separators: `apart` tokenises `after_input` (between the two parts) and `after_output` (after each demonstration)
    for themselves, all empty in MEND's release; output_space: a blank before every output (and label). With `channel`
    the parts change places, the separators stay. `metaicl_newlines` and `metaicl_blanks` are MetaICL's, tokenised (and
    scored) together with the part behind them: three line breaks before all examples but the first of a prompt (two
    where an input is empty) and one before what is predicted (none where a task has no labels), or a blank each;
    `after_input`, `after_output` and `output_space` must then be empty.

    room: `mend`: demonstrations are read while they stay below `max_tokens - max_example_tokens - 1`, a query is cut by
    its own output, an option to `max_tokens` less itself and all that stands before it; `metaicl`: all demonstrations
    are read, what exceeds `max_tokens` falls away at the left, a query is cut by its longest option.

    max_example_tokens: longest example; max_tokens: longest text of the LLM; max_distiller_tokens: of the distiller
    (256, 1,024 and 900 in MEND's code), whose demonstrations always follow MEND's rule.
    """

    method: str
    after_input: str
    after_output: str
    output_space: bool
    max_example_tokens: int
    max_tokens: int
    max_distiller_tokens: int
    separators: str = "apart"  # the two defaults are what distillers saved without these keys were trained with
    room: str = "mend"

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise UserError(f"format.method: '{self.method}' is not one of {', '.join(METHODS)}")
        check_choice("format.separators", self.separators, SEPARATORS)
        check_choice("format.room", self.room, ROOMS)
        if self.separators != "apart" and (self.after_input or self.after_output or self.output_space):
            raise UserError(
                f"format.separators: '{self.separators}' has its own text between parts; leave after_input and"
                " after_output empty and output_space false"
            )
        if self.max_example_tokens < RESERVED + 2:
            raise UserError(f"format.max_example_tokens: {self.max_example_tokens} is below {RESERVED + 2}")
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
        """Return below how many tokens the LLM's demonstrations stay: one example and one token stay free."""
        return self.max_tokens - self.max_example_tokens - 1

    @property
    def distiller_room(self) -> int:
        """Return below how many tokens the distiller's demonstrations stay."""
        return self.max_distiller_tokens - self.max_example_tokens - 1

    @property
    def marks_first(self) -> bool:
        """Return whether the first example of a prompt is written otherwise than the later ones."""
        return self.separators != "apart"


@dataclasses.dataclass(frozen=True)
class Example:
    """One encoded example: `given` is read, `predicted` is what the loss or the score is about.

    between, after: the separators. `given + between` is the query. hidden: tokens of a label that is not shown; they
    still count where the demonstration is cut (MEND's release).
    """

    given: Ids
    between: Ids
    predicted: Ids
    after: Ids
    hidden: int = 0

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
        texts = sorted({self._texts(row, row["output"], False)[0] for row in rows} - self._known.keys() - {""})
        texts = texts[: max(0, MOST_KNOWN - len(self._known))]
        if texts:
            encoded = self._tokenizer(texts, add_special_tokens=False)["input_ids"]
            self._known.update({text: tuple(ids) for text, ids in zip(texts, encoded)})

    def examples(self, rows: Sequence[Mapping[str, Any]]) -> list[Example]:
        """Return rows as the demonstrations of one prompt, in their order."""
        return [self.example(row, first=number == 0) for number, row in enumerate(rows)]

    def example(self, row: Mapping[str, Any], output: str | None = None, *, first: bool = True) -> Example:
        """Return a row of the classification schema as tokens, cut to `max_example_tokens`.

        output: another output than the row's own (an option). first: whether it is the first of its prompt. An empty
        input or output takes no separator with it. What a row's `hidden_input` or `hidden_output` holds counts where
        the example is cut, but is not shown (`scripts.mend.perturbations`).
        """
        for part in ("input", "output"):
            if row.get(f"hidden_{part}") is not None:
                shown = {**row, part: row[f"hidden_{part}"], f"hidden_{part}": None}
                return hide(self.example(shown, output, first=first), part, self.channel)
        output = row["output"] if output is None else output
        text, answer = (self.ids(part) for part in self._texts(row, output, first))
        given, predicted = (answer, text) if self.channel else (text, answer)
        between = self.ids(self.form.after_input) if given and predicted else ()
        whole = Example(given, between, predicted, self.ids(self.form.after_output))
        return cut_example(whole, self.form.max_example_tokens, self.channel, row.get("task", ""))

    def query(self, row: Mapping[str, Any], output: str | None = None, *, first: bool = False) -> Example:
        """Return a row to be answered: as `example`, but the separator stays where the input is empty."""
        found = self.example(row, output, first=first)
        return dataclasses.replace(found, between=self.ids(self.form.after_input), after=())

    def asked(
        self, row: Mapping[str, Any], options: Sequence[str], *, first: bool = False, shown: int = 0
    ) -> list[Example]:
        """Return a row to be answered with each of its options; its input is cut alike for all of them.

        first: whether no demonstration stands before it; shown: tokens of the demonstrations before it, to which an
        option adds up (room `mend`). An option keeps one token at least.
        """
        text, gold = (self.ids(part) for part in self._texts(row, row["output"], first))
        answers = [self.ids(self._texts(row, option, first)[1]) for option in options]
        between = self.ids(self.form.after_input)
        room = self.form.max_example_tokens - max(RESERVED, len(between))
        if self.form.room == "mend":
            text = cut_parts(text, gold, room, row.get("task", ""))[0]
            if not self.channel:
                before = shown + len(text) + len(between)
                answers = [cut_option(ids, self.form.max_tokens - before) for ids in answers]
        else:
            text = text[: max(0, room - max(map(len, answers)))]
        parts = [(ids, text) if self.channel else (text, ids) for ids in answers]
        return [Example(given, between, predicted, ()) for given, predicted in parts]

    @property
    def channel(self) -> bool:
        """Return whether inputs are predicted from outputs."""
        return self.form.method == "channel"

    def _texts(self, row: Mapping[str, Any], output: str, first: bool) -> tuple[str, str]:
        """Return the texts of input and output with what is tokenised together with them."""
        kind, text = self.form.separators, row["input"]
        if kind == "apart":
            return text, f" {output}" if output and self.form.output_space else output
        if kind == "metaicl_blanks":
            before, between = "" if first else " ", " "
        else:
            unlabelled = not any(row.get("options") or ())
            before = "" if first else "\n\n" if not text and not self.channel else "\n\n\n"
            between = "" if unlabelled or (self.channel and not text) else "\n"
        return (between + text, before + output) if self.channel else (before + text, between + output)


def cut_parts(text: Ids, output: Ids, room: int, task: str = "") -> tuple[Ids, Ids]:
    """Return input and output with at most `room` tokens together: the input is cut (both releases).

    task: the row's; of the tasks with instructions two are cut in both parts, the others in the longer one.
    """
    over = len(text) + len(output) > room
    if over and task.startswith(HALVED):
        half = (room + RESERVED) // 2
        return text[:half], output[: max(1, half - RESERVED)]
    if over and task.startswith(INSTRUCTED) and len(text) < len(output):
        return text, output[: max(1, room - len(text))]
    output = output[: max(1, room)]
    return text[: max(0, room - len(output))], output


def cut_option(ids: Ids, left: int) -> Ids:
    """Return an option that may be as long as what its own length leaves of `left` tokens (MEND's release).

    # DEVIATION: the release's slice leaves nothing of some options and counts from the end for others, or scores not a
    number; here one token stays at least.
    """
    return ids[: left - len(ids)] or ids[:1]


def cut_example(example: Example, limit: int, channel: bool = False, task: str = "") -> Example:
    """Return the example cut to `limit` tokens, of which `RESERVED` stay free (or the separator's, if it has more).

    Its input is cut, which is `predicted` where channel is True; see `cut_parts`. What stands after it does not count.
    """
    shorter, kept = ("predicted", "given") if channel else ("given", "predicted")
    room = limit - max(RESERVED, len(example.between))
    text, output = cut_parts(getattr(example, shorter), getattr(example, kept), room, task)
    return dataclasses.replace(example, **{shorter: text, kept: output})


def hide(example: Example, part: str, channel: bool = False) -> Example:
    """Return a demonstration without its `input` or `output` and without the separator between them."""
    name = "given" if (part == "input") != channel else "predicted"
    hidden = len(getattr(example, name)) if part == "output" else 0
    return dataclasses.replace(example, **{name: (), "between": (), "hidden": hidden})


def join(examples: Sequence[Example], room: int, *, channel: bool = False) -> Joined:
    """Return demonstrations one after the other in less than `room` tokens (MEND's release).

    The first that does not fit is cut in what is given, to one token less than would fit, if what is predicted fits; it
    ends the run. So with `channel` its label is cut, not its input: that is the release's rule. Raises `UserError` if
    not even the first one fits.
    """
    ids: list[int] = []
    spans: list[tuple[int, int]] = []
    for example in examples:
        whole = len(ids) + len(example.ids) < room
        if not whole:
            kept = len(example.between) + len(example.predicted) + len(example.after)
            left = room - len(ids) - kept - example.hidden
            if left <= 0:
                break
            example = dataclasses.replace(example, given=example.given[: left - 1])
        spans.append((len(ids), len(ids) + len(example.ids)))
        ids.extend(example.ids)
        if not whole:
            break
    if examples and not spans:
        part, left = "input" if channel else "output", room - 1 - len(examples[0].between) - len(examples[0].after)
        raise UserError(
            f"demonstration 1: its {part} of {len(examples[0].predicted)} tokens exceeds the {left} tokens that the"
            " window leaves for demonstrations; shorten it, or raise format.max_tokens and max_distiller_tokens"
        )
    return Joined(tuple(ids), tuple(spans))


def join_for_llm(examples: Sequence[Example], form: PromptFormat) -> Joined:
    """Return the demonstrations that the LLM reads: those that fit (room `mend`), or all (`metaicl`)."""
    room = form.llm_room if form.room == "mend" else sum(len(example.ids) for example in examples) + 1
    return join(examples, room, channel=form.method == "channel")


def join_for_distiller(examples: Sequence[Example], form: PromptFormat) -> Joined:
    """Return the demonstrations that the distiller reads, by MEND's rule."""
    return join(examples, form.distiller_room, channel=form.method == "channel")


def cut_left(ids: Ids, left: int) -> Ids:
    """Return the last `left` tokens (MetaICL's rule for prompts that are too long)."""
    return ids[max(0, len(ids) - max(0, left)) :]


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
