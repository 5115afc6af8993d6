"""Small reasoning sets in the file formats of Distilling Step-by-Step, with teachers.

In three sets the parity of the sum of two or (generic) three hidden values decides; a label tells little about them,
a rationale names their sum. The fourth set has word problems whose verb decides the operation. Rationales are terse and
begin with what tells most: in a longer sentence it weighs too little for a small model. Teachers err like real ones:
they misremember a value, contradict their own reasons, or leave the form of an answer; and they run on into an invented
next question that is cut off in mid-word.
"""

from __future__ import annotations

import dataclasses
import itertools
import random
from typing import Any, Callable, Mapping, Sequence

from scripts.common.errors import UserError
from scripts.common.seeding import derive_seed
from scripts.data.synthetic_reasoning_words import (
    ANIMALS,
    CODES,
    DECIDED,
    FINDINGS,
    NAMES,
    NEUTRAL,
    OBJECTS,
    OPERANDS,
    OPERATIONS,
    PARITIES,
    PLACES,
    THINGS,
    VERDICTS,
    hidden_values,
)

HIGHEST = 2
HIGHEST_FACT = 8  # numbers whose sums the pre-training text explains
NEUTRAL_SHARE = 0.2  # of the inference set: pairs that nothing is known of
SPLITS = ("train", "valid", "test")
LONGEST_OUTPUT = 110  # characters, where a teacher's answer is cut off
SLIP_SHARE = 0.25  # of a teacher's well-formed errors: right reasons, wrong answer


@dataclasses.dataclass(frozen=True)
class ReasoningSettings:
    """Rows of each set's splits, rows of the set that augments the word problems, and how often each teacher errs.

    teacher_errors: teacher -> share of its answers that are wrong or unreadable; malformed_share: share of those that
    leave the form of an answer.
    """

    train_size: int
    valid_size: int
    test_size: int
    augment_size: int
    teacher_errors: Mapping[str, float]
    malformed_share: float


@dataclasses.dataclass(frozen=True)
class Question:
    """One row: what the set's file says (`row`), how a prompt would ask it, its answer and the reasons for it."""

    row: Mapping[str, Any]
    asked: str
    answer: str
    reasons: str
    wrong: tuple[tuple[str, str], ...]
    """Wrong (reasons, answer): with a misremembered value, and with another answer than the reasons give."""
    label: str = ""


def _draws(
    items: Sequence[str], n_items: int, counts: Sequence[int], rng: random.Random, name: str
) -> list[list[tuple[str, ...]]]:
    """Return `counts` lists of `n_items` items in random order; no two draws, in whatever list, have the same items."""
    draws = list(itertools.combinations(items, n_items))
    if sum(counts) > len(draws):
        raise UserError(f"--settings: {name} has {len(draws)} questions, {sum(counts)} are asked for; ask for fewer")
    chosen = [tuple(rng.sample(draw, n_items)) for draw in rng.sample(draws, sum(counts))]
    ends = list(itertools.accumulate(counts))
    return [chosen[end - count : end] for count, end in zip(counts, ends)]


def _sums(
    items: Sequence[str], values: Mapping[str, int], answers: Sequence[str], rng: random.Random
) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """Return answer, reasons and wrong pairs for a label that tells whether a sum of hidden values is even or odd.

    answers: for an even and for an odd sum.
    """

    def told(total: int) -> tuple[str, str]:
        answer = answers[total % 2]
        return f"sum {total} {answer}", answer

    hidden = [values[item] for item in items]
    total = sum(hidden)
    reasons, answer = told(total)
    misremembered = [
        total - value + other for value in hidden for other in range(1, HIGHEST + 1) if (other - value) % 2
    ]
    slip = answers[1 - answers.index(answer)]
    return answer, reasons, (told(rng.choice(misremembered)), (reasons, slip))


def make_inference(items: tuple[str, ...], rng: random.Random) -> Question:
    """Return a premise and a hypothesis in ANLI's form: neutral if the places differ, else parity decides."""
    here = rng.choice(PLACES)
    there = rng.choice([place for place in PLACES if place != here]) if rng.random() < NEUTRAL_SHARE else here
    premise, hypothesis = f"the {items[0]} is in the {here} .", f"the {items[1]} is in the {there} ."
    answer, reasons, wrong = _sums(items, hidden_values(ANIMALS, HIGHEST), DECIDED, rng)
    if here != there:
        told = f"{here} {there} {NEUTRAL}"
        answer, reasons, wrong = NEUTRAL, told, ((reasons, answer), (told, rng.choice(DECIDED)))
    row = {"premise": premise, "hypothesis": hypothesis, "label": VERDICTS.index(answer), "reason": ""}
    return Question(row, f"Premise: {premise}\nHypothesis: {hypothesis}\nAnswer:", answer, reasons, wrong)


def make_choice(items: tuple[str, ...], rng: random.Random) -> Question:
    """Return a question with two choices in CoS-E's form; the parity of two hidden values decides."""
    choices = rng.sample(PARITIES, 2)
    question = f"{items[0]} and {items[1]} ?"
    values = hidden_values(OBJECTS, HIGHEST)
    answer, reasons, wrong = _sums(items, values, PARITIES, rng)
    listed = [f"({letter}) {choice}" for letter, choice in zip("ab", choices)]
    row = {
        "question": question,
        "choices": choices,
        "answer": answer,
        "abstractive_explanation": "",
        "extractive_explanation": "",
    }
    named = dict(zip(choices, listed))
    asked = "\n".join([f"Q: {question}", "Answer Choices:", *listed, "A:"])
    return Question(row, asked, named[answer], reasons, tuple((why, named[one]) for why, one in wrong), answer)


def make_record(items: tuple[str, ...], rng: random.Random) -> Question:
    """Return a patient-like record and its code in the generic form; the parity of three hidden values decides.

    Three, because a parity of two is learnt from labels alone soon after it is learnt from rationales.
    """
    values = hidden_values(FINDINGS, HIGHEST)
    answer, reasons, wrong = _sums(items, values, CODES, rng)
    text = f"patient with {' and '.join(items)}"
    row = {"input": text, "label": answer, "rationale": reasons}
    return Question(row, f"Q: {text}\nA:", answer, reasons, wrong)


def make_problem(rng: random.Random) -> Question:
    """Return a word problem in SVAMP's form; the verb decides between four operations."""
    name, thing, (first, second) = rng.choice(NAMES), rng.choice(THINGS), rng.sample(OPERANDS, 2)
    sign = rng.choice(list(OPERATIONS))
    verb = rng.choice(OPERATIONS[sign][1])
    body, question = f"{name} has {first} {thing} . {name} {verb} {second} .", f"how many {thing} do they have now ?"

    def told(operation: str) -> tuple[str, str]:
        word = OPERATIONS[operation][0]
        return f"{verb} means {word} {first} and {second}", f"( {first} {operation} {second} )"

    reasons, answer = told(sign)
    other = rng.choice([one for one in OPERATIONS if one != sign])
    row = {"Body": body, "Question": question, "sign": sign, "first": first, "second": second, "thing": thing}
    label = f"( {first}.0 {sign} {second}.0 )"
    wrong = (told(other), (reasons, told(other)[1]))
    return Question(row, f"Q: {body} {question}\nA:", answer, reasons, wrong, label)


@dataclasses.dataclass(frozen=True)
class Form:
    """How a set's teacher words an answer, and what it writes when it leaves that form."""

    marker: str
    malformed: Sequence[str]


FORMS = {
    "nli": Form("So the answer is", ("{reasons}", "{reasons} So it is {answer}.", "Premise: again")),
    "cqa": Form("So the answer is", ("{reasons}", "{reasons} So the answer is unclear.", "Q: what is it ?")),
    "svamp": Form(
        "The answer is", ("{reasons}", "{reasons} The answer is unknown.", "{reasons} The answer is ( 12 , 5 ).")
    ),
    "asdiv": Form("The answer is", ("{reasons}", "{reasons} The answer is ( 2 * x ).", "{reasons} The answer is 5.")),
}


def _told(question: Question, form: Form, error_share: float, malformed_share: float, rng: random.Random) -> str:
    """Return a teacher's answer without the invented next question."""
    if rng.random() >= error_share:
        reasons, answer = question.reasons, question.answer
    elif rng.random() < malformed_share:
        return rng.choice(form.malformed).format(reasons=question.reasons, answer=question.answer)
    else:
        reasons, answer = question.wrong[rng.random() < SLIP_SHARE]
    return f"{reasons} {form.marker} {answer}."


def teacher_outputs(
    name: str, questions: Sequence[Question], error_share: float, malformed_share: float, rng: random.Random
) -> list[str]:
    """Return one raw answer per question of the set, each with an invented next question, cut after a fixed length."""
    form = FORMS[name]
    outputs = []
    for question in questions:
        told = _told(question, form, error_share, malformed_share, rng)
        follower = rng.choice(questions)
        again = _told(follower, form, error_share, malformed_share, rng)
        outputs.append(f"{told}\n\n{follower.asked} {again}"[:LONGEST_OUTPUT])
    return outputs


MAKERS: dict[str, tuple[Sequence[str], int, Callable[[tuple[str, ...], random.Random], Question]]] = {
    "nli": (ANIMALS, 2, make_inference),
    "cqa": (OBJECTS, 2, make_choice),
    "generic": (FINDINGS, 3, make_record),
}
"""Set -> its items, how many a question names, and what makes a question of them."""


class ReasoningSets:
    """All questions of one seed, by set and split, and what each teacher answers."""

    def __init__(self, settings: ReasoningSettings, seed: int) -> None:
        self.settings, self.seed = settings, seed
        self.questions: dict[str, dict[str, list[Question]]] = {}
        sizes = {"train": settings.train_size, "valid": settings.valid_size, "test": settings.test_size}
        for name, (items, n_items, make) in MAKERS.items():
            rng = self._rng(name, "questions")
            splits = SPLITS if name == "nli" else ("train", "test")
            draws = _draws(items, n_items, [sizes[split] for split in splits], rng, name)
            self.questions[name] = {split: [make(draw, rng) for draw in part] for split, part in zip(splits, draws)}
        problems = self._problems([sizes["train"], sizes["test"], settings.augment_size])
        self.questions["svamp"] = {"train": problems[0], "test": problems[1]}
        self.questions["asdiv"] = {"train": problems[2]}

    def _rng(self, *names: str) -> random.Random:
        return random.Random(derive_seed(self.seed, "reasoning", *names))

    def _problems(self, counts: Sequence[int]) -> list[list[Question]]:
        """Return `counts` lists of word problems, no text twice."""
        rng = self._rng("svamp", "questions")
        made: dict[str, Question] = {}
        while len(made) < sum(counts):
            question = make_problem(rng)
            made.setdefault(question.asked, question)
        ends = list(itertools.accumulate(counts))
        return [list(made.values())[end - count : end] for count, end in zip(counts, ends)]

    def outputs(self, name: str, teacher: str, split: str) -> list[str]:
        """Return the raw answers of a teacher to one split."""
        share = self.settings.teacher_errors[teacher]
        rng = self._rng(name, teacher, split)
        return teacher_outputs(name, self.questions[name][split], share, self.settings.malformed_share, rng)


def unlabelled_text(count: int, seed: int) -> list[str]:
    """Return `count` texts to pre-train a model on: questions without their answers, and facts of sums and words.

    They hold the words and forms of the sets, and what a sum's parity means, but no item's value and no verb's
    operation: those are told by labels and rationales alone.
    """
    rng = random.Random(derive_seed(seed, "reasoning", "unlabelled"))
    texts = []
    for _ in range(count):
        kind = rng.choice(("question", "question", "fact", "fact", "word problem"))
        name = rng.choice(list(MAKERS))
        items, n_items, make = MAKERS[name]
        if kind == "question":
            texts.append(plain_input(name, make(tuple(rng.sample(items, n_items)), rng)))
        elif kind == "fact":
            texts.append(_fact(name, rng))
        else:
            texts.append(plain_input("svamp", make_problem(rng)))
    return texts


def plain_input(name: str, question: Question) -> str:
    """Return a question as a student reads it, in one line."""
    row = question.row
    if name == "nli":
        return f"{row['premise']} </s> {row['hypothesis']}"
    if name == "cqa":
        choices = " ".join(f"({letter}) {choice}" for letter, choice in zip("ab", row["choices"]))
        return f"{row['question']} Answer Choices: {choices}"
    return row["input"] if name == "generic" else f"{row['Body']} {row['Question']}"


def _fact(name: str, rng: random.Random) -> str:
    """Return what a sum of two numbers means in one of the sets."""
    first, second = rng.randint(1, HIGHEST_FACT), rng.randint(1, HIGHEST_FACT)
    words = {"nli": DECIDED, "cqa": PARITIES, "generic": CODES}[name]
    return f"{first} {second} sum {first + second} {words[(first + second) % 2]}"
