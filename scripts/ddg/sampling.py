"""Draw texts of given classes from a generator: nucleus sampling with a cache.

The chance of each text comes from its own row of uniform numbers, so a text does not depend on how many others are
drawn with it: the first 100 texts of a request for 2,000 are those of a request for 100.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Sequence, Union

import torch
from torch import Tensor

from scripts.common.errors import UserError
from scripts.common.seeding import generator as named_generator
from scripts.ddg.settings_steps import Sampling

if TYPE_CHECKING:
    from scripts.ddg.generator import Generator

logger = logging.getLogger(__name__)

BLOCK = 256  # rows whose uniform numbers come from one random generator
FIRST_WORDS = 128  # likeliest tokens looked at before the whole vocabulary is sorted


def sample_texts(
    generator: Generator, label: int, n: int, settings: Sampling, seed: int, *names: Union[str, int]
) -> tuple[list[tuple[str, ...]], int]:
    """Return `n` texts of a class and the number of failed draws.

    A draw fails if it has too few parts or an empty one; it is drawn again with other numbers.
    # DEVIATION: DiLM keeps empty texts with a warning; they have nothing to learn from.
    Raises `UserError` once more draws failed than texts were asked for.
    """
    texts: dict[int, tuple[str, ...]] = {}
    failures = attempt = 0
    while len(texts) < n:
        missing = [row for row in range(n) if row not in texts]
        numbers = _uniform(missing, settings.max_new_tokens, seed, *names, label, attempt)
        for row, ids in zip(missing, sample_ids(generator, label, numbers, settings)):
            text = generator.decode(ids)
            if text is not None:
                texts[row] = text
        failures += n - len(texts)
        attempt += 1
        if failures > n:
            raise UserError(
                f"generator: more than {n} of its draws for class '{generator.label_names[label]}' were empty or lacked"
                f" a text column; train it longer or raise max_new_tokens ({settings.max_new_tokens})"
            )
    if failures:
        logger.info("class %s: %d of %d texts drawn again", generator.label_names[label], failures, n)
    return [texts[row] for row in range(n)], failures


def _uniform(rows: Sequence[int], width: int, seed: int, *names: Union[str, int]) -> Tensor:
    """Return (len(rows), width) numbers in [0, 1); a row's numbers depend on its place and the names only."""
    blocks = {
        block: named_generator(seed, "sampling", *names, block).random((BLOCK, width))
        for block in sorted({row // BLOCK for row in rows})
    }
    return torch.stack([torch.from_numpy(blocks[row // BLOCK][row % BLOCK]) for row in rows])


@torch.inference_mode()
def sample_ids(generator: Generator, label: int, numbers: Tensor, settings: Sampling) -> list[list[int]]:
    """Return token ids after the class token, end-of-text left out, one list a row of `numbers` (n, max_new_tokens)."""
    was_training = generator.model.training
    generator.model.eval()
    results: list[list[int]] = []
    for start in range(0, len(numbers), settings.batch_size):
        results += _sample_batch(generator, label, numbers[start : start + settings.batch_size], settings.top_p)
    generator.model.train(was_training)
    return results


def _sample_batch(generator: Generator, label: int, numbers: Tensor, top_p: float) -> list[list[int]]:
    from transformers import DynamicCache

    device = generator.device
    numbers = numbers.to(device)
    rows = torch.arange(len(numbers), device=device)  # which text each live row of the batch is
    ids = torch.full((len(rows), 1), generator.class_ids[label], device=device)
    cache = DynamicCache()
    results: list[list[int]] = [[] for _ in range(len(numbers))]
    forbidden = torch.tensor(generator.forbidden_ids, device=device)
    for step in range(numbers.shape[1]):
        logits = generator.next_logits(ids, cache)
        logits[:, forbidden] = -torch.inf
        drawn = nucleus_draw(logits, numbers[rows, step], top_p)
        alive = drawn != generator.end_id
        for row, token in zip(rows[alive].tolist(), drawn[alive].tolist()):
            results[row].append(token)
        if not alive.any():
            break
        if not alive.all():
            kept = alive.nonzero().squeeze(1)
            cache.batch_select_indices(kept)
            rows, drawn = rows[kept], drawn[kept]
        ids = drawn.unsqueeze(1)
    return results


def nucleus_draw(logits: Tensor, numbers: Tensor, top_p: float) -> Tensor:
    """Return one token a row: the inverse of the distribution over the nucleus at `numbers`.

    logits: (n, words); numbers: (n,) in [0, 1). The nucleus holds the likeliest tokens, as few as reach probability
    `top_p` together (at least one).
    """
    probabilities = logits.float().softmax(dim=-1)
    n_words = probabilities.shape[-1]
    for width in (min(FIRST_WORDS, n_words), n_words):
        values, words = probabilities.topk(width, dim=-1)
        sums = values.double().cumsum(dim=-1)
        if width == n_words or bool((sums[:, -1] >= top_p).all()):
            break
    inside = (sums - values.double()) < top_p  # the mass before a token has not reached top_p yet
    inside[:, 0] = True
    mass = torch.where(inside, sums, sums.new_zeros(())).amax(dim=-1, keepdim=True)
    place = torch.searchsorted(sums, numbers.double().unsqueeze(1) * mass, right=True)
    last = inside.sum(dim=-1, keepdim=True) - 1
    return words.gather(1, torch.minimum(place, last)).squeeze(1)
