"""What a causal LM has learned of the synthetic world: labels in context, careful authors, neutral instructions.

Used on the training module for the curve in the log, and on the shipped checkpoint for the report.
"""

from __future__ import annotations

import dataclasses
import random
from typing import TYPE_CHECKING, Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from scripts.common.seeding import derive_seed
from scripts.data.synthetic_documents import (
    NEWLINE,
    classification_document,
    query_tokens,
)
from scripts.data.synthetic_instructions import FAMILIES, FAULTS, Example, make_example, spoil
from scripts.data.synthetic_words import NEUTRAL, World
from scripts.lm.packing import Continuation
from scripts.mini_world.batches import pad

if TYPE_CHECKING:
    from scripts.lm.score import Scorer

Predict = Callable[[Tensor, Tensor], Tensor]
"""(token ids (B, T), flat positions (n,)) -> logits (n, vocabulary) of what follows these positions."""


@dataclasses.dataclass(frozen=True)
class Reader:
    """A model to be measured: how it predicts, its vocabulary, and how many tokens one batch may hold.

    scorer: of the saved model, to read a demonstration once for all that stands behind it; None while it is trained.
    """

    world: World
    token_ids: Mapping[str, int]
    predict: Predict
    batch_tokens: int = 2048
    scorer: Scorer | None = None

    def ids(self, tokens: Sequence[str]) -> tuple[int, ...]:
        """Return the ids of words."""
        return tuple(self.token_ids[token] for token in tokens)


Text = tuple[Sequence[str], Sequence[str]]
"""(tokens before the answer, answer tokens)"""


def batches_by_length(lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Return indices in batches of similar lengths; a batch holds at most `batch_tokens` tokens, padding included."""
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: (lengths[i], i)):
        if batches and (len(batches[-1]) + 1) * lengths[index] <= batch_tokens:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def in_context_hits(
    reader: Reader,
    topics: Sequence[int],
    *,
    seed: int,
    n_documents: int,
    classes: tuple[int, int],
    asked: Sequence[int],
    balanced: bool = False,
    shuffled: bool = False,
) -> np.ndarray:
    """Return whether the model names the right hidden label, (n_documents, len(asked)) booleans.

    asked: numbers of demonstrations before the query; a document holds max(asked) + 1 examples of `classes` (fewest,
    most) topics. The model chooses among its whole vocabulary. balanced: demonstrations come in rounds that show each
    class once. shuffled: the demonstrations' labels are drawn at random; then only the last query counts.
    Raises ValueError if several queries are asked of shuffled documents.
    """
    if shuffled and len(asked) != 1:
        raise ValueError("shuffled documents answer one query only")
    n_examples = max(asked) + 1
    documents = []
    for number in range(n_documents):
        rng = random.Random(derive_seed(seed, "in_context", number))
        drawn = rng.sample(topics, rng.randint(*classes))
        kinds = None
        if balanced:
            rounds = [rng.sample(range(len(drawn)), len(drawn)) for _ in range(n_examples // len(drawn) + 1)]
            kinds = [kind for one in rounds for kind in one][:n_examples]
        documents.append(
            classification_document(reader.world, rng, drawn, n_examples, 0, kinds=kinds, shuffled=shuffled)
        )
    hits = np.zeros((n_documents, len(asked)), dtype=bool)
    for batch in batches_by_length([len(document.tokens) for document in documents], reader.batch_tokens):
        ids = pad([documents[i].tokens for i in batch], reader.token_ids)
        flat = torch.tensor([row * ids.shape[1] + documents[i].labels[k] for row, i in enumerate(batch) for k in asked])
        guessed = reader.predict(ids, flat - 1).argmax(-1)
        hits[batch] = (guessed == ids.view(-1)[flat]).view(len(batch), len(asked)).numpy()
    return hits


def logprobs_behind(reader: Reader, demonstrations: Sequence[Sequence[str]], texts: Sequence[Text]) -> np.ndarray:
    """Return each answer's summed log-probability in nats behind each demonstration, (demonstrations, texts)."""
    if reader.scorer is None:
        joined = [([*shown, *before], answer) for shown in demonstrations for before, answer in texts]
        return answer_logprobs(reader, joined).reshape(len(demonstrations), len(texts))
    packed = reader.scorer.pack([Continuation(reader.ids(before), reader.ids(answer)) for before, answer in texts])
    return np.stack([reader.scorer.score(reader.ids(shown), packed).logprob_sums for shown in demonstrations])


def answer_logprobs(reader: Reader, texts: Sequence[Text]) -> np.ndarray:
    """Return each answer's summed log-probability in nats, (n,)."""
    sums = np.zeros(len(texts))
    for batch in batches_by_length([len(before) + len(answer) for before, answer in texts], reader.batch_tokens):
        ids = pad([[*texts[i][0], *texts[i][1]] for i in batch], reader.token_ids)
        owners, flat = [], []
        for row, i in enumerate(batch):
            before, answer = texts[i]
            owners.extend([row] * len(answer))
            flat.extend(row * ids.shape[1] + len(before) + k for k in range(len(answer)))
        positions = torch.tensor(flat, dtype=torch.long)
        logits = reader.predict(ids, positions - 1)
        chosen = logits.gather(1, ids.view(-1)[positions][:, None])[:, 0] - logits.logsumexp(-1)
        sums[batch] = torch.zeros(len(batch), dtype=torch.float64).index_add_(
            0, torch.tensor(owners, dtype=torch.long), chosen.double()
        )
    return sums


@dataclasses.dataclass(frozen=True)
class AuthorGains:
    """How much each candidate raises the answers of careful anchors: (n_candidates, n_anchors), nats."""

    candidates: list[Example]
    gains: np.ndarray

    @property
    def good(self) -> np.ndarray:
        """Return which candidates are answered rightly, (n_candidates,) booleans."""
        return np.array([candidate.fault is None for candidate in self.candidates])

    @property
    def golden(self) -> np.ndarray:
        """Return the share of anchors that each candidate raises, (n_candidates,): NUGGETS' golden score."""
        return (self.gains > 0).mean(axis=1)


def author_gains(reader: Reader, *, seed: int, per_family: int, n_anchors: int) -> AuthorGains:
    """Score new single examples as demonstrations before careful anchors (NUGGETS' one-shot minus zero-shot score).

    per_family: right candidates a family; as many careless ones are drawn, every fault in turn.
    Nothing stands between candidate and anchor, as in NUGGETS' code.
    """
    rng = random.Random(derive_seed(seed, "author_gains"))
    families = list(FAMILIES)
    anchors = [make_example(reader.world, families[i % len(families)], rng) for i in range(n_anchors)]
    asked = [query_tokens(anchor, block=rng.random() < 0.5) for anchor in anchors]
    candidates = []
    for number in range(per_family):
        for position, family in enumerate(families):
            candidates.append(make_example(reader.world, family, rng))
            fault = FAULTS[(number + position) % len(FAULTS)]
            candidates.append(spoil(reader.world, make_example(reader.world, family, rng), fault, rng))
    shown = [[*query_tokens(c, block=rng.random() < 0.5), *c.answer] for c in candidates]
    texts = [(query, anchor.answer) for query, anchor in zip(asked, anchors)]
    return AuthorGains(candidates, logprobs_behind(reader, shown, texts) - answer_logprobs(reader, texts))


def auc(scores: np.ndarray, good: np.ndarray) -> float:
    """Return the chance that a good item scores above a bad one, ties counted half. ValueError without both kinds."""
    better, worse = scores[good], scores[~good]
    if not len(better) or not len(worse):
        raise ValueError("the area under the curve needs good and bad items")
    difference = better[:, None] - worse[None, :]
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())


def same_instruction_hits(reader: Reader, *, seed: int, n_trials: int) -> tuple[list[str], np.ndarray]:
    """Return, per trial, the query's family and whether a demonstration of its neutral instruction helps more.

    The booleans (n_trials,) compare it with a demonstration of another neutral word for another family; both are right.
    The answer counts with the newline that ends it: without, the answer of `first` would be as likely after a
    demonstration of `copy`, whose answers begin with the same word. A query of `opposite` or `extract` shows by its
    input alone what is asked, so that no demonstration helps it much.
    """
    families, texts = [], []
    for number in range(n_trials):
        rng = random.Random(derive_seed(seed, "same_instruction", number))
        (family, other), (word, other_word) = rng.sample(list(FAMILIES), 2), rng.sample(NEUTRAL, 2)
        families.append(family)
        query = make_example(reader.world, family, rng, f"apply {word}")
        asked = query_tokens(query, block=rng.random() < 0.5)
        for kind, wording in ((family, f"apply {word}"), (other, f"apply {other_word}")):
            demo = make_example(reader.world, kind, rng, wording)
            shown = [*query_tokens(demo, block=rng.random() < 0.5), *demo.answer, NEWLINE]
            texts.append(([*shown, *asked], [*query.answer, NEWLINE]))
    scores = answer_logprobs(reader, texts).reshape(n_trials, 2)
    return families, scores[:, 0] > scores[:, 1]


def continuation_odds(reader: Reader, fault: str, *, seed: int, n_trials: int) -> np.ndarray:
    """Return how much likelier a right answer is than a careless one, (n_trials, 2) in nats.

    First column: after one example of a careful author; second: after one of an author with `fault`. The careless
    answer has the same fault; every answer counts with the newline that ends it, so that an empty one can be likely.
    """
    texts = []
    for number in range(n_trials):
        rng = random.Random(derive_seed(seed, "continuation", fault, number))
        shown, query = (make_example(reader.world, rng.choice(list(FAMILIES)), rng) for _ in range(2))
        asked = query_tokens(query, block=rng.random() < 0.5)
        spoiled = spoil(reader.world, query, fault, rng)
        block = rng.random() < 0.5
        for demo in (shown, spoil(reader.world, shown, fault, rng)):
            before = [*query_tokens(demo, block=block), *demo.answer, NEWLINE, *asked]
            texts += [(before, [*query.answer, NEWLINE]), (before, [*spoiled.answer, NEWLINE])]
    scores = answer_logprobs(reader, texts).reshape(n_trials, 2, 2)
    return scores[:, :, 0] - scores[:, :, 1]


def wilson(hits: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share. Raises ValueError for n = 0."""
    if n <= 0:
        raise ValueError("an interval needs at least one trial")
    share = hits / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * ((share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5)
    return max(0.0, centre - half), min(1.0, centre + half)
