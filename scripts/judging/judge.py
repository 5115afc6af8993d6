"""Judge answers: which of two is better, or how good one is; by an endpoint, a local model or a reference answer.

A judge has `name`, `prefer` and `grade` (class `Judge`). There are three kinds:
- `scripts.judging.endpoint.EndpointWriter` in a `WritingJudge`: a model behind an OpenAI-compatible endpoint;
- `scripts.judging.local.LocalWriter` in a `WritingJudge`: a local model;
- `scripts.judging.reference.ReferenceJudge`: offline comparison with a reference answer.

The rows follow the annotation file of AlpacaEval and the single-answer judgment file of MT-Bench, so that their tools
read them. The judge's prompts are the caller's: texts with `{fields}` and a rule that finds the verdict.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import re
from typing import Any, Callable, Mapping, Protocol, Sequence

from scripts.common.errors import UserError, did_you_mean
from scripts.common.seeding import generator

logger = logging.getLogger(__name__)

PAIR_FIELDS = ("instruction", "output_1", "output_2", "reference")
GRADE_FIELDS = ("question", "answer", "reference", "earlier")
FIRST, TIE, SECOND = 1.0, 1.5, 2.0  # AlpacaEval's `preference`: which output is better
ORDERS = ("both", "given", "random")
UNPARSED_SCORE = -1  # MT-Bench's score for a judgment without a grade


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two answers to one instruction; `reference` is a correct answer, or empty if there is none."""

    instruction: str
    output_1: str
    output_2: str
    reference: str = ""

    def swapped(self) -> Pair:
        """Return the same pair with the answers in the other order."""
        return Pair(self.instruction, self.output_2, self.output_1, self.reference)


@dataclasses.dataclass(frozen=True)
class Item:
    """One answer to be graded; `earlier` holds the (question, answer) turns before it in the same conversation."""

    question: str
    answer: str
    reference: str = ""
    earlier: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True)
class Verdict:
    """A judge's finding. value: preference in [1, 2] or grade, None if the judge gave none; text: what it wrote."""

    value: float | None
    text: str = ""


@dataclasses.dataclass(frozen=True)
class Prompt:
    """What a writing judge is asked; `system` may be empty."""

    user: str
    system: str = ""


class Judge(Protocol):
    """What every judge offers; `name` stands in the rows as annotator."""

    name: str

    def prefer(self, pairs: Sequence[Pair]) -> list[Verdict]:
        """Return for each pair, in the given order of its answers, a preference: 1 first, 2 second, 1.5 neither."""
        ...

    def grade(self, items: Sequence[Item]) -> list[Verdict]:
        """Return for each item a grade; higher is better."""
        ...


class Writer(Protocol):
    """A model that answers prompts with text."""

    name: str

    def write(self, prompts: Sequence[Prompt]) -> list[str]:
        """Return one text per prompt, in their order."""
        ...


@dataclasses.dataclass(frozen=True)
class Template:
    """A judge's prompt and the rule that finds its verdict.

    user, system: texts with fields in braces; for pairs `{instruction} {output_1} {output_2} {reference}`, for grades
    `{question} {answer} {reference} {earlier}`. Other braces stay as they are.
    pattern: regular expression whose group 1 is the verdict; the last match in the answer counts.
    values: what the matched texts mean, as a preference from 1 to 2, or as a grade; empty = the text is a number.
    lowest, highest: range of a grade; a number outside it counts as no verdict.
    """

    user: str
    pattern: str
    system: str = ""
    values: Mapping[str, float] = dataclasses.field(default_factory=dict)
    lowest: float = 1.0
    highest: float = 10.0

    def __post_init__(self) -> None:
        try:
            groups = re.compile(self.pattern).groups
        except re.error as error:
            raise UserError(f"judge template: pattern {self.pattern!r} is not a regular expression ({error})") from None
        if groups < 1:
            raise UserError(f"judge template: pattern {self.pattern!r} has no group; put the verdict in parentheses")

    def check_fields(self, known: Sequence[str], required: Sequence[str]) -> None:
        """Raise `UserError` for a field that is not filled in, or a required one that is not there."""
        found = re.findall(r"\{([a-z]\w*)\}", self.system + self.user)
        for name in found:
            if name not in known:
                raise UserError(f"judge template: unknown field '{{{name}}}'{did_you_mean(name, known)}")
        for name in required:
            if name not in found:
                raise UserError(f"judge template: field '{{{name}}}' is missing; the judge must see it")

    def fill(self, fields: Mapping[str, str]) -> Prompt:
        """Return the prompt with every field replaced once (braces inside the values stay)."""

        def filled(text: str) -> str:
            return re.sub(r"\{([a-z]\w*)\}", lambda match: fields.get(match[1], match[0]), text)

        return Prompt(filled(self.user), filled(self.system))

    def parse(self, text: str) -> Verdict:
        """Return the verdict in a judge's answer; its value is None where the rule finds none."""
        matches = list(re.finditer(self.pattern, text))
        if not matches:
            return Verdict(None, text)
        found = (matches[-1][1] or "").strip()
        if self.values:
            return Verdict(self.values.get(found), text)
        try:
            value = float(found)
        except ValueError:
            return Verdict(None, text)
        return Verdict(value if self.lowest <= value <= self.highest else None, text)


def pair_fields(pair: Pair) -> dict[str, str]:
    """Return the fields of a template for pairs."""
    return {name: getattr(pair, name) for name in PAIR_FIELDS}


def grade_fields(item: Item) -> dict[str, str]:
    """Return the fields of a template for grades; earlier turns become a transcript."""
    earlier = "".join(f"### User:\n{question}\n\n### Assistant:\n{answer}\n\n" for question, answer in item.earlier)
    return {"question": item.question, "answer": item.answer, "reference": item.reference, "earlier": earlier}


class WritingJudge:
    """A judge that asks a model for its verdict in words and reads it with the template's rule."""

    def __init__(
        self, writer: Writer, *, pair_template: Template | None = None, grade_template: Template | None = None
    ) -> None:
        self.name = writer.name
        self._writer = writer
        self._pair_template = pair_template
        self._grade_template = grade_template
        if pair_template is not None:
            pair_template.check_fields(PAIR_FIELDS, ("instruction", "output_1", "output_2"))
        if grade_template is not None:
            grade_template.check_fields(GRADE_FIELDS, ("question", "answer"))

    def prefer(self, pairs: Sequence[Pair]) -> list[Verdict]:
        """Return the preference the model wrote for each pair."""
        return self._ask(self._pair_template, "pairs", [pair_fields(pair) for pair in pairs])

    def grade(self, items: Sequence[Item]) -> list[Verdict]:
        """Return the grade the model wrote for each item."""
        return self._ask(self._grade_template, "grades", [grade_fields(item) for item in items])

    def _ask(self, template: Template | None, what: str, fields: Sequence[Mapping[str, str]]) -> list[Verdict]:
        if template is None:
            raise UserError(f"judge: no template for {what} given; set one in the config")
        return [template.parse(text) for text in self._writer.write([template.fill(values) for values in fields])]


def judge_pairs(judge: Judge, pairs: Sequence[Pair], *, order: str = "both", seed: int = 0) -> list[Verdict]:
    """Return the judge's preference for each pair, in terms of the pair as given; None where it gave none.

    order: both = ask in both orders and take the mean, so a preference for a place instead of an answer becomes a tie;
    given = ask once; random = ask once, the answers swapped for a random half of the pairs (AlpacaEval's way).
    """
    if order not in ORDERS:
        raise UserError(f"order: '{order}' is not one of {', '.join(ORDERS)}{did_you_mean(order, ORDERS)}")
    swaps = [False] * len(pairs)
    if order == "random":
        swaps = [bool(draw) for draw in generator(seed, "judge order").integers(0, 2, len(pairs))]
    asked = [pair.swapped() if swap else pair for pair, swap in zip(pairs, swaps)]
    if order == "both":
        asked += [pair.swapped() for pair in pairs]
        swaps += [True] * len(pairs)
    answers = judge.prefer(asked) if asked else []
    turned = [
        Verdict(None if one.value is None else FIRST + SECOND - one.value if swap else one.value, one.text)
        for one, swap in zip(answers, swaps)
    ]
    if order == "both":
        turned = [_mean_verdict(one, other) for one, other in zip(turned[: len(pairs)], turned[len(pairs) :])]
    return _counted(turned, "pair")


def judge_items(judge: Judge, items: Sequence[Item]) -> list[Verdict]:
    """Return the judge's grade of each item, None where it gave none."""
    return _counted(judge.grade(items) if items else [], "answer")


def verdicts_of(
    backend: str, asked: Sequence[Any], ask: Callable[[Sequence[Any]], list[Verdict]]
) -> list[Verdict | None]:
    """Return the verdict on each pair or item; None where the reference judge has no reference answer to compare with.

    backend: see `scripts.judging.backend`; ask: gives the verdicts on those that can be judged.
    """
    able = [i for i, one in enumerate(asked) if backend != "reference" or one.reference.strip()]
    verdicts: list[Verdict | None] = [None] * len(asked)
    for index, verdict in zip(able, ask([asked[i] for i in able])):
        verdicts[index] = verdict
    return verdicts


def _mean_verdict(one: Verdict, other: Verdict) -> Verdict:
    text = f"{one.text}\n---\n{other.text}" if one.text or other.text else ""
    if one.value is None or other.value is None:
        return Verdict(None, text)
    return Verdict((one.value + other.value) / 2, text)


def _counted(verdicts: list[Verdict], what: str) -> list[Verdict]:
    missing = sum(verdict.value is None for verdict in verdicts)
    if missing:
        logger.warning("the judge gave no readable verdict for %d of %d %ss", missing, len(verdicts), what)
    return verdicts


# ---- rows that AlpacaEval's and MT-Bench's tools read -----------------------------------------------------------


def alpaca_eval_rows(
    pairs: Sequence[Pair], verdicts: Sequence[Verdict], *, annotator: str, generator_1: str, generator_2: str
) -> list[dict[str, Any]]:
    """Return AlpacaEval annotations: `preference` 1 = output_1 is better, 2 = output_2, 1.5 = neither, null = unknown.

    AlpacaEval puts the baseline's answer in output_1 and the answer of the model under test in output_2.
    """
    return [
        {
            "instruction": pair.instruction,
            "output_1": pair.output_1,
            "generator_1": generator_1,
            "output_2": pair.output_2,
            "generator_2": generator_2,
            "annotator": annotator,
            "preference": verdict.value,
        }
        for pair, verdict in zip(pairs, verdicts, strict=True)
    ]


def mt_bench_rows(
    question_ids: Sequence[int | str],
    turns: Sequence[int],
    verdicts: Sequence[Verdict],
    *,
    model: str,
    judge: str,
    template: str,
) -> list[dict[str, Any]]:
    """Return MT-Bench single-answer judgments; turn counts from 1, score -1 = no grade was found in the judgment."""
    return [
        {
            "question_id": question_id,
            "model": model,
            "judge": [judge, template],
            "judgment": verdict.text,
            "score": UNPARSED_SCORE if verdict.value is None else verdict.value,
            "turn": turn,
        }
        for question_id, turn, verdict in zip(question_ids, turns, verdicts, strict=True)
    ]


def win_rate(preferences: Sequence[float | None]) -> dict[str, float | int]:
    """Return AlpacaEval's summary for output_2: win rate in percent (a tie counts half), its standard error, counts.

    Preferences that are None are left out and counted as `n_unparsed`. Raises `UserError` if no preference is left.
    """
    known = [value - FIRST for value in preferences if value is not None]
    if not known:
        raise UserError("judge: not one readable verdict; look at its answers and mend the template or its pattern")
    mean = sum(known) / len(known)
    spread = math.sqrt(sum((value - mean) ** 2 for value in known) / (len(known) - 1)) if len(known) > 1 else 0.0
    return {
        "win_rate": 100 * mean,
        "standard_error": 100 * spread / math.sqrt(len(known)),
        "n_wins": sum(value > 0.5 for value in known),
        "n_draws": sum(value == 0.5 for value in known),
        "n_wins_base": sum(value < 0.5 for value in known),
        "n_total": len(known),
        "n_unparsed": len(preferences) - len(known),
    }
