"""Instruction families of the synthetic world, and the ways in which a careless author spoils an answer.

A family is a rule from input words to answer words. Every example is worded with one of the family's phrasings, or with
a neutral word ("apply gamma") whose meaning holds only within one document.
"""

from __future__ import annotations

import dataclasses
import random
from typing import Callable, List, Tuple

from scripts.data.synthetic_words import FILLERS, NUMBERS, OPPOSITES, TRANSLATIONS, World

FAULTS = ("empty", "wrong", "off_topic", "truncated", "filler")
"""Ways of being careless: no answer, the answer to another input, words of some topic, a first half, filler words."""

Solved = Tuple[List[str], List[str]]


@dataclasses.dataclass(frozen=True)
class Example:
    """One instruction with its input words and answer words; `fault` is None where the answer is right."""

    family: str
    instruction: str
    words: tuple[str, ...]
    answer: tuple[str, ...]
    fault: str | None = None

    @property
    def key(self) -> tuple[str, tuple[str, ...]]:
        """Return what is asked, whatever the wording: two examples with equal keys are the same question."""
        return self.family, self.words


def _words(world: World, rng: random.Random, low: int, high: int) -> list[str]:
    return rng.sample(world.topic_words, rng.randint(low, high))


def _copy(world: World, rng: random.Random) -> Solved:
    words = _words(world, rng, 3, 5)
    return words, words


def _reverse(world: World, rng: random.Random) -> Solved:
    words = _words(world, rng, 3, 5)
    return words, words[::-1]


def _first(world: World, rng: random.Random) -> Solved:
    words = _words(world, rng, 3, 5)
    return words, words[:1]


def _last(world: World, rng: random.Random) -> Solved:
    words = _words(world, rng, 3, 5)
    return words, words[-1:]


def _count(world: World, rng: random.Random) -> Solved:
    words = _words(world, rng, 1, 7)
    return words, [NUMBERS[len(words) - 1]]


def _translate(world: World, rng: random.Random) -> Solved:
    picked = [rng.randrange(len(NUMBERS)) for _ in range(rng.randint(2, 4))]
    return [NUMBERS[i] for i in picked], [TRANSLATIONS[i] for i in picked]


def _opposite(world: World, rng: random.Random) -> Solved:
    words = [rng.choice(pair) for pair in rng.sample(OPPOSITES, rng.randint(2, 3))]
    return words, [world.opposite_of[word] for word in words]


def _topic(world: World, rng: random.Random) -> Solved:
    topic = rng.choice(world.trained_topics)
    return rng.sample(world.topics[topic], 4), [world.topic_names[topic]]


def _repeat_first(world: World, rng: random.Random) -> Solved:
    words = _words(world, rng, 2, 4)
    return words, [words[0], words[0]]


def _next(world: World, rng: random.Random) -> Solved:
    picked = [rng.randrange(len(NUMBERS) - 1) for _ in range(rng.randint(2, 3))]
    return [NUMBERS[i] for i in picked], [NUMBERS[i + 1] for i in picked]


def _sort(world: World, rng: random.Random) -> Solved:
    picked = rng.sample(range(len(NUMBERS)), rng.randint(3, 4))
    return [NUMBERS[i] for i in picked], [NUMBERS[i] for i in sorted(picked)]


def _extract(world: World, rng: random.Random) -> Solved:
    words = _words(world, rng, 3, 4)
    number = rng.choice(NUMBERS)
    words.insert(rng.randint(0, len(words)), number)
    return words, [number]


@dataclasses.dataclass(frozen=True)
class Family:
    """A rule from input words to answer words, and how people ask for it."""

    solve: Callable[[World, random.Random], Solved]
    phrasings: tuple[str, ...]


FAMILIES: dict[str, Family] = {
    "copy": Family(_copy, ("copy the words", "write the words again")),
    "reverse": Family(_reverse, ("reverse the words", "write the words backwards")),
    "first": Family(_first, ("give the first word", "pick the first word")),
    "last": Family(_last, ("give the last word", "pick the last word")),
    "count": Family(_count, ("count the words", "say how many words")),
    "translate": Family(_translate, ("say the numbers in spanish", "translate the numbers")),
    "opposite": Family(_opposite, ("give the opposite", "write the opposites")),
    "topic": Family(_topic, ("name the topic", "say the theme")),
    "repeat_first": Family(_repeat_first, ("repeat the first word", "say the first word twice")),
    "next": Family(_next, ("give the next numbers", "say the number after each")),
    "sort": Family(_sort, ("sort the numbers", "order the numbers")),
    "extract": Family(_extract, ("find the number", "extract the number")),
}

GROUPS: dict[str, tuple[str, ...]] = {
    "writing": ("copy", "reverse", "repeat_first"),
    "picking": ("first", "last", "extract"),
    "numbers": ("count", "next", "sort"),
    "language": ("translate", "opposite"),
    "topics": ("topic",),
}
"""The five groups in which instructions are evaluated (the role of AlpacaEval's five source sets)."""


def answer_sources(example: Example) -> list[tuple[int, ...]]:
    """Return, per answer word, which input words it comes from (indices); none for a careless answer or a count."""
    last = len(example.words) - 1
    if example.fault is not None or example.family == "count":
        return [() for _ in example.answer]
    if example.family == "topic":
        return [tuple(range(last + 1))]
    if example.family in ("sort", "extract"):
        return [(example.words.index(word),) for word in example.answer]
    place = {"reverse": lambda k: last - k, "first": lambda k: 0, "repeat_first": lambda k: 0, "last": lambda k: last}
    return [(place.get(example.family, lambda k: k)(k),) for k in range(len(example.answer))]


def make_example(world: World, family: str, rng: random.Random, wording: str | None = None) -> Example:
    """Return a rightly answered example of `family`, worded as one of its phrasings or as `wording`."""
    words, answer = FAMILIES[family].solve(world, rng)
    instruction = wording if wording is not None else rng.choice(FAMILIES[family].phrasings)
    return Example(family, instruction, tuple(words), tuple(answer))


def spoil(world: World, example: Example, fault: str, rng: random.Random) -> Example:
    """Return the example as a careless author answers it. Raises ValueError for an unknown fault.

    A spoiled answer always differs from the right one; a single word cannot be cut in half, so truncating it leaves
    nothing.
    """
    if fault == "empty":
        answer: tuple[str, ...] = ()
    elif fault == "truncated":
        answer = example.answer[: len(example.answer) // 2]
    elif fault == "off_topic":
        answer = tuple(rng.choices(world.topics[rng.randrange(len(world.topics))], k=rng.randint(2, 5)))
    elif fault == "filler":
        answer = tuple(rng.choices(FILLERS, k=rng.randint(2, 5)))
    elif fault == "wrong":
        answer = example.answer
        while answer == example.answer:
            answer = tuple(FAMILIES[example.family].solve(world, rng)[1])
    else:
        raise ValueError(f"unknown fault '{fault}'; known: {', '.join(FAULTS)}")
    return dataclasses.replace(example, answer=answer, fault=fault)
