"""What the mini encoder reads: pairs of short texts, of one document or of two, with some words masked.

As in BERT's own training, the encoder guesses masked words and whether the second text goes on with the first one's
document: a topic (labelled texts without their labels, or runs of plain text) or an instruction family.
"""

from __future__ import annotations

import dataclasses
import random
from typing import Sequence

import torch
from torch import Tensor

from scripts.data.synthetic_documents import classification_text, plain_document, query_tokens
from scripts.data.synthetic_instructions import FAMILIES, make_example
from scripts.data.synthetic_words import World


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two texts as tokens, and whether they come from one document."""

    first: list[str]
    second: list[str]
    together: bool


@dataclasses.dataclass(frozen=True)
class EncoderIds:
    """Ids the batches need: of every word, and of the special tokens."""

    words: dict[str, int]
    cls: int
    sep: int
    mask: int
    first_word: int
    """Ids from here to `last_word` are words: they may be masked, and stand in for masked ones."""
    last_word: int


@dataclasses.dataclass(frozen=True)
class EncoderBatch:
    """Inputs (B, T) of BERT; `labels` are -100 where nothing is masked; `together` (B,) is 0 for one document, else 1.

    (0 means "is the next sentence" in BERT's own head.)
    """

    input_ids: Tensor
    token_type_ids: Tensor
    attention_mask: Tensor
    labels: Tensor
    together: Tensor


def topic_text(world: World, topic: int, rng: random.Random) -> list[str]:
    """Return a text about a topic: half the time a labelled text's words, else a run of plain text.

    A topic held out of the classification documents gives plain text only.
    """
    if topic in world.held_out_topics or rng.random() < 0.5:
        words = plain_document(world, rng, [topic], 40)
        return words[: words.index(".") + 1]
    return [word for word, _ in classification_text(world, topic, rng)]


def topic_pair(world: World, rng: random.Random, topics: Sequence[int]) -> Pair:
    """Return two texts, about one of the topics or about two."""
    first, other = rng.sample(topics, 2)
    together = rng.random() < 0.5
    return Pair(topic_text(world, first, rng), topic_text(world, first if together else other, rng), together)


def instruction_pair(world: World, rng: random.Random) -> Pair:
    """Return two rightly answered instruction examples, of one family or of two."""
    first, other = rng.sample(list(FAMILIES), 2)
    together = rng.random() < 0.5
    texts = []
    for family in (first, first if together else other):
        example = make_example(world, family, rng)
        texts.append([*query_tokens(example, block=rng.random() < 0.5), *example.answer])
    return Pair(texts[0], texts[1], together)


def encode(pairs: Sequence[Pair], ids: EncoderIds, mask_share: float, rng: random.Random) -> EncoderBatch:
    """Return a batch with `mask_share` of the words hidden: 80 % masked, 10 % another word, 10 % left as they are."""
    rows = []
    for pair in pairs:
        first, second = ([ids.words[token] for token in text] for text in (pair.first, pair.second))
        rows.append(([ids.cls, *first, ids.sep, *second, ids.sep], len(first) + 2))
    length = max(len(row) for row, _ in rows)
    inputs = torch.zeros(len(rows), length, dtype=torch.long)
    kinds, seen, labels = torch.zeros_like(inputs), torch.zeros_like(inputs), torch.full_like(inputs, -100)
    for number, (row, border) in enumerate(rows):
        inputs[number, : len(row)] = torch.tensor(row)
        kinds[number, border : len(row)] = 1
        seen[number, : len(row)] = 1
        for position, token in enumerate(row):
            if ids.first_word <= token <= ids.last_word and rng.random() < mask_share:
                labels[number, position] = token
                fate = rng.random()
                if fate < 0.9:
                    stand_in = rng.randint(ids.first_word, ids.last_word)
                    inputs[number, position] = ids.mask if fate < 0.8 else stand_in
    together = torch.tensor([0 if pair.together else 1 for pair in pairs])
    return EncoderBatch(inputs, kinds, seen, labels, together)
