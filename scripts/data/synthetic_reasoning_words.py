"""The words of the synthetic reasoning sets, and the hidden value of each item that only rationales tell.

The values are constants, not draws: whatever the seed of the rows, a lamp is worth the same. Every text is made of
words with single blanks between them, so that a word-level tokenizer loses nothing.
"""

from __future__ import annotations

import itertools
import random
from typing import Sequence

from scripts.common.seeding import derive_seed

OBJECTS = tuple(
    "lamp coin book chair table spoon plate bottle basket candle mirror pillow blanket ladder hammer needle "
    "button ribbon bucket kettle clock radio camera pencil paper letter ticket wallet jacket helmet glove boot "
    "scarf ring drum flute guitar piano carpet curtain window door bell rope".split()
)
ANIMALS = tuple(
    "fox owl cat dog horse cow goat sheep pig duck goose hen rabbit mouse otter beaver badger wolf bear deer "
    "moose camel donkey monkey parrot pigeon crow robin swan stork eagle falcon salmon trout shark whale dolphin "
    "seal crab snail spider beetle turtle lizard".split()
)
FINDINGS = tuple(
    "fever cough rash itch nausea headache dizziness fatigue chills sweating cramps swelling bruising bleeding "
    "numbness tremor weakness stiffness soreness burning thirst wheezing sneezing hoarseness hiccups heartburn "
    "bloating vomiting fainting insomnia anxiety confusion paleness redness blisters dryness jaundice "
    "palpitations earache toothache backache twitching snoring drowsiness".split()
)
PLACES = tuple("barn field river garden".split())
PARITIES = ("even", "odd")
VERDICTS = ("entailment", "neutral", "contradiction")
DECIDED, NEUTRAL = ("entailment", "contradiction"), "neutral"
CODES = ("code red", "code blue")
NAMES = tuple("anna ben carla dan emma finn".split())
THINGS = tuple("apples stones shells cards nuts marbles stamps seeds".split())
OPERATIONS = {
    "+": ("add", "finds gets buys wins earns gathers".split()),
    "-": ("subtract", "loses sells eats drops spends breaks".split()),
    "*": ("multiply", "copies repeats stacks plants mints breeds".split()),
    "/": ("divide", "splits shares deals groups sorts packs".split()),
}
"""Operation -> the word a rationale uses for it, and the verbs that mean it."""
OPERANDS = tuple(range(2, 13))
GLUE = tuple(
    "is the sum and ? . </s> Answer Choices: (a) (b) in patient with has now how many do they have "
    "means ( ) So The answer".split()
)


def hidden_values(items: Sequence[str], highest: int) -> dict[str, int]:
    """Return each item's value, 1 to `highest`, all equally frequent up to one, in a fixed random order."""
    order = random.Random(derive_seed(0, "hidden values", *items)).sample(range(len(items)), len(items))
    return {items[place]: number % highest + 1 for number, place in enumerate(order)}


def vocabulary() -> tuple[str, ...]:
    """Return every word of the sets' inputs, labels and rationales, each once; `</s>` stands for the special token."""
    verbs = [word for name, words in OPERATIONS.values() for word in (name, *words)]
    numbers = [str(number) for number in range(1, 17)] + [f"{number}.0" for number in OPERANDS]
    answers = (*PARITIES, *VERDICTS, *" ".join(CODES).split())
    groups = (GLUE, numbers, OPERATIONS, verbs, answers, NAMES, THINGS, PLACES, OBJECTS, ANIMALS, FINDINGS)
    return tuple(dict.fromkeys(itertools.chain.from_iterable(groups)))
