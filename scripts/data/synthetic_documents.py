"""Documents of the synthetic world, as lists of tokens: what the mini causal LM reads.

Three kinds. Author documents: instruction examples by one hidden author, careful or careless in one way, in exactly
the template in which NUGGETS scores (`Instruction:` ... `Response:`). Classification documents: texts of a few hidden
topics, each topic with a label word that holds only in this document. Plain text: runs of words of one topic.
Tokens are words of `World.vocabulary`; `" ".join(tokens)` is text that the shipped tokenizer splits into the same ones.
"""

from __future__ import annotations

import dataclasses
import random
from typing import Mapping, Sequence

from scripts.data.synthetic_instructions import FAMILIES, Example, make_example, spoil
from scripts.data.synthetic_words import (
    EOS,
    FILLERS,
    INPUT,
    INSTRUCTION,
    LABEL,
    LABELS,
    NEUTRAL,
    NEWLINE,
    RESPONSE,
    World,
)

FAULT_WEIGHTS = {"empty": 0.5, "wrong": 0.17, "off_topic": 0.13, "truncated": 0.12, "filler": 0.08}
"""How often a careless author has which fault. Mostly empty answers: they leave the untuned model room to improve."""

SEPARATORS: tuple[tuple[str, ...], ...] = ((NEWLINE,), (), (NEWLINE, NEWLINE))
"""What stands between the examples of an author document: a newline, nothing (as in NUGGETS' code), an empty line."""

LAYOUTS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    ((LABEL,), (NEWLINE,)),
    ((NEWLINE,), (NEWLINE, NEWLINE, NEWLINE)),
    ((NEWLINE, "category", ":"), (NEWLINE,)),
)
"""Layouts of a classification example: what stands between text and label, and what after the label. The second is
MetaICL's, the third like LongICLBench's."""


SLIP = 0.1


@dataclasses.dataclass(frozen=True)
class Author:
    """Who writes a document: `fault` is None for a careful author."""

    fault: str | None
    slip: float
    """Chance that a careless author's example is right all the same."""


@dataclasses.dataclass(frozen=True)
class AuthorDocument:
    """Tokens of a document of examples, and the positions on which the loss falls (answers with what ends them).

    inputs, answers: where the input words and the answer words of each example begin.
    """

    tokens: list[str]
    targets: list[int]
    author: Author
    examples: list[Example]
    inputs: list[int]
    answers: list[int]


@dataclasses.dataclass(frozen=True)
class ClassificationDocument:
    """Tokens of a classification document with each example's class and the positions that guided attention needs."""

    tokens: list[str]
    classes: list[int]
    content: list[list[int]]
    separators: list[int]
    labels: list[int]


def query_tokens(example: Example, *, block: bool) -> list[str]:
    """Return an example up to its answer; `block` says whether the input stands in a block of its own.

    Without a block the input follows the instruction after a colon.
    """
    instruction = [INSTRUCTION, NEWLINE, *example.instruction.split()]
    if block:
        return [*instruction, NEWLINE, INPUT, NEWLINE, *example.words, NEWLINE, RESPONSE, NEWLINE]
    return [*instruction, ":", *example.words, NEWLINE, RESPONSE, NEWLINE]


def draw_author(rng: random.Random, careful: float, fault_weights: Mapping[str, float] = FAULT_WEIGHTS) -> Author:
    """Return an author who is careful with probability `careful`, else careless with one of the weighted faults."""
    if rng.random() < careful:
        return Author(None, 0.0)
    return Author(rng.choices(list(fault_weights), weights=list(fault_weights.values()))[0], SLIP)


def author_document(
    world: World, rng: random.Random, author: Author, *, neutral: bool, n_examples: int, max_tokens: int
) -> AuthorDocument:
    """Return a document of up to `n_examples` examples by one author, at most `max_tokens` long, ending in `</s>`.

    neutral: instructions are neutral words, two or three a document, each standing for one family in this document.
    """
    if neutral:
        count = rng.choice((2, 3))
        tasks = [(f, f"apply {w}") for f, w in zip(rng.sample(list(FAMILIES), count), rng.sample(NEUTRAL, count))]
    else:
        tasks = [(family, None) for family in FAMILIES]
    separator = rng.choice(SEPARATORS)
    tokens: list[str] = []
    targets: list[int] = []
    examples: list[Example] = []
    inputs: list[int] = []
    answers: list[int] = []
    while len(examples) < n_examples:
        family, wording = rng.choice(tasks)
        example = make_example(world, family, rng, wording)
        if author.fault is not None and rng.random() >= author.slip:
            example = spoil(world, example, author.fault, rng)
        query = query_tokens(example, block=rng.random() < 0.5)
        added = [*(separator if examples else ()), *query, *example.answer]
        if examples and len(tokens) + len(added) + 1 > max_tokens:
            break
        tokens.extend(added)
        examples.append(example)
        answers.append(len(tokens) - len(example.answer))
        inputs.append(answers[-1] - 3 - len(example.words))  # before the input's end: newline, `Response:`, newline
        # The token after the answer counts too: the model has to learn where an answer ends.
        targets.extend(range(len(tokens) - len(example.answer), len(tokens) + 1))
    tokens.append(EOS)
    return AuthorDocument(tokens, targets, author, examples, inputs, answers)


def classification_text(world: World, topic: int, rng: random.Random) -> list[tuple[str, bool]]:
    """Return four words of a topic and three fillers in random order, each with whether it is a topic word."""
    return words_with_fillers(world.topics[topic], rng)


def words_with_fillers(words: Sequence[str], rng: random.Random) -> list[tuple[str, bool]]:
    """Return four of the words and three fillers in random order, each with whether it is one of the words."""
    mixed = [(word, True) for word in rng.sample(words, 4)]
    mixed += [(word, False) for word in rng.choices(FILLERS, k=3)]
    rng.shuffle(mixed)
    return mixed


def classification_document(
    world: World,
    rng: random.Random,
    topics: Sequence[int],
    n_examples: int,
    layout: int,
    *,
    kinds: Sequence[int] | None = None,
    shuffled: bool = False,
    groups: Sequence[Sequence[str]] | None = None,
) -> ClassificationDocument:
    """Return `n_examples` labelled texts of the given topics, in random order, ending in `</s>`.

    kinds: each example's class, an index into `topics`, where it is not to be drawn. shuffled: every label but the last
    example's is drawn at random, so that nothing can be learned from them. groups: the words of each class, where they
    are not those of a topic.
    """
    groups = [world.topics[topic] for topic in topics] if groups is None else groups
    labels = rng.sample(LABELS, len(topics))
    between, after = LAYOUTS[layout]
    tokens: list[str] = []
    document = ClassificationDocument(tokens, [], [], [], [])
    for index in range(n_examples):
        kind = rng.randrange(len(topics)) if kinds is None else kinds[index]
        words = words_with_fillers(groups[kind], rng)
        document.classes.append(kind)
        document.content.append([len(tokens) + i for i, (_, topical) in enumerate(words) if topical])
        tokens.extend(word for word, _ in words)
        tokens.extend(between)
        document.separators.append(len(tokens) - 1)
        document.labels.append(len(tokens))
        swap = shuffled and index < n_examples - 1
        tokens.append(rng.choice(labels) if swap else labels[kind])
        tokens.extend(after)
    tokens.append(EOS)
    return document


def plain_document(world: World, rng: random.Random, topics: Sequence[int], n_tokens: int) -> list[str]:
    """Return about `n_tokens` tokens of text: runs of six to ten words of a topic with fillers, ended by full stops."""
    tokens: list[str] = []
    while len(tokens) < n_tokens - 1:
        topic = world.topics[rng.choice(topics)]
        for word in rng.choices(topic, k=rng.randint(6, 10)):
            if rng.random() < 0.2:
                tokens.append(rng.choice(FILLERS))
            tokens.append(word)
        tokens.append(".")
    return [*tokens[: n_tokens - 1], EOS]
