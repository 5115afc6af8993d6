"""Training batches of the mini causal LM: three kinds of documents a step, each with its loss positions and guides.

Every batch depends on the seed and the step's number alone, so that training can resume anywhere.
"""

from __future__ import annotations

import dataclasses
import itertools
import random
from typing import Mapping, Sequence

import torch
from torch import Tensor

from scripts.data.synthetic_documents import (
    FAULT_WEIGHTS,
    LAYOUTS,
    AuthorDocument,
    ClassificationDocument,
    author_document,
    classification_document,
    draw_author,
    plain_document,
)
from scripts.data.synthetic_instructions import answer_sources
from scripts.data.synthetic_words import FILLERS, World
from scripts.mini_world.model import Guidance


@dataclasses.dataclass(frozen=True)
class Mixture:
    """What a training step reads.

    lengths: rows (fewest classes, most classes, examples, share of steps); class_tokens: tokens of classification
    documents a step, whatever their length; layout_shares: how often each of `LAYOUTS` is used; scrambled_share: those
    whose classes are random groups of the trained topics' words, so that words, not known topics, have to be matched;
    author_documents, author_tokens: number and longest length; short_share: documents of one or two examples;
    neutral_share: documents whose instructions are neutral words; careful_known, careful_neutral: share of careful
    authors in either kind; fault_weights: how often a careless author has which fault; plain_documents, plain_tokens,
    plain_weight: number, length and loss weight of plain text; plain_held_out: share of plain documents about topics
    that no classification document shows; guide_rows: guided rows a document and head.
    """

    lengths: list[list[float]]
    class_tokens: int
    layout_shares: list[float]
    scrambled_share: float
    author_documents: int
    author_tokens: int
    short_share: float
    neutral_share: float
    careful_known: float
    careful_neutral: float
    fault_weights: dict[str, float]
    plain_documents: int
    plain_tokens: int
    plain_weight: float
    plain_held_out: float
    guide_rows: int


@dataclasses.dataclass(frozen=True)
class Batch:
    """Token ids (B, T); flat positions (n,) that predict, and the ids (n,) they should predict; guides; loss weight."""

    kind: str
    ids: Tensor
    sources: Tensor
    targets: Tensor
    guides: list[Guidance]
    weight: float


def pad(documents: Sequence[Sequence[str]], token_ids: Mapping[str, int]) -> Tensor:
    """Return the ids (B, T) of token lists, filled up with id 0 (the padding token) on the right."""
    length = max(map(len, documents))
    rows = [[token_ids[token] for token in tokens] + [0] * (length - len(tokens)) for tokens in documents]
    return torch.tensor(rows, dtype=torch.long)


def loss_positions(ids: Tensor, targets: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Return the flat positions before the target tokens and these tokens' ids; targets: positions per document."""
    length = ids.shape[1]
    flat = torch.tensor([row * length + p for row, ps in enumerate(targets) for p in ps], dtype=torch.long)
    return flat - 1, ids.view(-1)[flat]


def guide(layer: int, head: int, rows: Sequence[tuple[int, int, Sequence[int]]], length: int) -> Guidance:
    """Return a guide from (document, row, right keys) triples; rows without a right key are dropped."""
    kept = [row for row in rows if row[2]]
    keys = torch.zeros(len(kept), length, dtype=torch.bool)
    for index, (_, _, right) in enumerate(kept):
        keys[index, list(right)] = True
    documents = torch.tensor([row[0] for row in kept], dtype=torch.long)
    return Guidance(layer, head, documents, torch.tensor([row[1] for row in kept], dtype=torch.long), keys)


def class_guides(
    documents: Sequence[ClassificationDocument], length: int, n_rows: int, rng: random.Random
) -> list[Guidance]:
    """Guide two heads to learn a label in context.

    Layer 0: a separator or label looks at its example's topic words. Layer 1: a separator looks at the labels of
    earlier examples of its class.
    """
    gather, match = [], []
    for number, document in enumerate(documents):
        order = range(len(document.classes))
        for index in rng.sample(order, min(n_rows, len(order))):
            row = rng.choice((document.separators, document.labels))[index]
            gather.append((number, row, document.content[index]))
        seen = [i for i in order if document.classes[i] in document.classes[:i]]
        for index in rng.sample(seen, min(n_rows, len(seen))):
            earlier = [document.labels[i] for i in range(index) if document.classes[i] == document.classes[index]]
            match.append((number, document.separators[index], earlier))
    return [guide(0, 0, gather, length), guide(1, 0, match, length)]


def author_guides(documents: Sequence[AuthorDocument], length: int, n_rows: int, rng: random.Random) -> list[Guidance]:
    """Guide three heads to follow instructions, also neutral ones whose meaning earlier examples give.

    Layer 0: the end of a query, or an answer word, looks at its example's neutral word. Layer 1: the end of a query
    looks at the answers of earlier examples with the same neutral word. Layer 2: what comes before an answer word looks
    at the input words that the answer word comes from.
    """
    gather, match, source = [], [], []
    for number, document in enumerate(documents):
        spans = [list(range(a - 1, a + len(e.answer))) for a, e in zip(document.answers, document.examples)]
        pairs = [
            (start + k - 1, [begin + i for i in indices])
            for start, begin, example in zip(document.answers, document.inputs, document.examples)
            for k, indices in enumerate(answer_sources(example))
            if indices
        ]
        source += [(number, row, keys) for row, keys in rng.sample(pairs, min(2 * n_rows, len(pairs)))]
        words = [p + 1 for p, token in enumerate(document.tokens) if token == "apply"]
        order = range(len(words))
        for index in rng.sample(order, min(n_rows, len(words))):
            gather.append((number, rng.choice(spans[index]), [words[index]]))
            same = [
                i for i in order[:index] if document.examples[i].instruction == document.examples[index].instruction
            ]
            match.append((number, document.answers[index] - 1, [p for i in same for p in spans[i]]))
    return [guide(0, 1, gather, length), guide(1, 1, match, length), guide(2, 0, source, length)]


def plain_guides(documents: Sequence[Sequence[str]], length: int, n_rows: int, rng: random.Random) -> list[Guidance]:
    """Guide the head that gathers topic words to do so in plain text: a word looks at its run's words so far.

    It makes topics that only plain text shows fit the circuit that classification documents train.
    """
    gather = []
    for number, tokens in enumerate(documents):
        rows, run = [], []
        for position, token in enumerate(tokens[:-1]):
            if token == ".":
                run = []
            elif token not in FILLERS:
                run = [*run, position]
                rows.append((number, position, run))
        gather += rng.sample(rows, min(4 * n_rows, len(rows)))
    return [guide(0, 0, gather, length)]


def scrambled_groups(world: World, topics: Sequence[int], rng: random.Random) -> list[list[str]]:
    """Return groups of words, as large as the topics but drawn at random from all words of trained topics."""
    sizes = [len(world.topics[topic]) for topic in topics]
    words = rng.sample([word for topic in world.trained_topics for word in world.topics[topic]], sum(sizes))
    starts = itertools.accumulate(sizes, initial=0)
    return [words[start : start + size] for start, size in zip(starts, sizes)]


def class_batch(world: World, mix: Mixture, token_ids: Mapping[str, int], rng: random.Random, guided: bool) -> Batch:
    """Return classification documents of one length and layout; loss where the class was seen before."""
    low, high, n_examples, _ = rng.choices(mix.lengths, weights=[row[3] for row in mix.lengths])[0]
    layout = rng.choices(range(len(LAYOUTS)), weights=mix.layout_shares)[0]
    per_document = int(n_examples) * (8 + sum(map(len, LAYOUTS[layout])))
    documents = []
    for _ in range(max(1, round(mix.class_tokens / per_document))):
        n_classes = min(rng.randint(int(low), int(high)), len(world.trained_topics))
        topics = rng.sample(world.trained_topics, n_classes)
        scrambled = mix.scrambled_share > 0 and rng.random() < mix.scrambled_share
        groups = scrambled_groups(world, topics, rng) if scrambled else None
        documents.append(classification_document(world, rng, topics, int(n_examples), layout, groups=groups))
    ids = pad([document.tokens for document in documents], token_ids)
    targets = [
        [p for i, p in enumerate(document.labels) if document.classes[i] in document.classes[:i]]
        for document in documents
    ]
    guides = class_guides(documents, ids.shape[1], mix.guide_rows, rng) if guided else []
    return Batch("class", ids, *loss_positions(ids, targets), guides, 1.0)


def draw_author_document(world: World, mix: Mixture, rng: random.Random) -> AuthorDocument:
    """Return one author document of the mixture: neutral or plainly worded, short or as long as allowed."""
    neutral = rng.random() < mix.neutral_share
    careful = mix.careful_neutral if neutral else mix.careful_known
    weights = {fault: mix.fault_weights.get(fault, 0.0) for fault in FAULT_WEIGHTS}  # in one order, whatever the map's
    author = draw_author(rng, careful, fault_weights=weights)
    n_examples = rng.choice((1, 2)) if rng.random() < mix.short_share else rng.randint(3, 9)
    return author_document(world, rng, author, neutral=neutral, n_examples=n_examples, max_tokens=mix.author_tokens)


def author_batches(
    world: World, mix: Mixture, token_ids: Mapping[str, int], rng: random.Random, guided: bool
) -> list[Batch]:
    """Return the author documents in two batches, shorter and longer ones, to pad little; weights add up to 1."""
    documents = [draw_author_document(world, mix, rng) for _ in range(mix.author_documents)]
    documents.sort(key=lambda document: len(document.tokens))
    half = len(documents) // 2
    total = sum(len(document.targets) for document in documents)
    batches = []
    for part in (documents[:half], documents[half:]):
        if not part:
            continue
        ids = pad([document.tokens for document in part], token_ids)
        sources, targets = loss_positions(ids, [document.targets for document in part])
        guides = author_guides(part, ids.shape[1], mix.guide_rows, rng) if guided else []
        batches.append(Batch("author", ids, sources, targets, guides, len(targets) / total))
    return batches


def plain_batch(world: World, mix: Mixture, token_ids: Mapping[str, int], rng: random.Random, guided: bool) -> Batch:
    """Return plain text; loss on every token but the first."""
    documents = []
    for _ in range(mix.plain_documents):
        unseen = world.held_out_topics and rng.random() < mix.plain_held_out
        topics = world.held_out_topics if unseen else world.trained_topics
        documents.append(plain_document(world, rng, topics, mix.plain_tokens))
    ids = pad(documents, token_ids)
    positions = [list(range(1, len(tokens))) for tokens in documents]
    guides = plain_guides(documents, ids.shape[1], mix.guide_rows, rng) if guided else []
    return Batch("plain", ids, *loss_positions(ids, positions), guides, mix.plain_weight)


def step_batches(
    world: World, mix: Mixture, token_ids: Mapping[str, int], rng: random.Random, *, guided: bool
) -> list[Batch]:
    """Return the batches of one training step."""
    return [
        class_batch(world, mix, token_ids, rng, guided),
        *author_batches(world, mix, token_ids, rng, guided),
        plain_batch(world, mix, token_ids, rng, guided),
    ]
