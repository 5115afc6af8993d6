"""BM25: which of a pool's texts share the rarest words with a query (Robertson and Zaragoza 2009)."""

from __future__ import annotations

import re
from typing import Sequence

import numpy as np

WORD = re.compile(r"\w+")


class BM25:
    """Scores of a pool's texts for any query. k1: how soon a word's repeats stop counting; b: how far length counts."""

    def __init__(self, texts: Sequence[str], k1: float = 1.5, b: float = 0.75) -> None:
        words = [WORD.findall(text.lower()) for text in texts]
        self.places = {word: place for place, word in enumerate(sorted({word for own in words for word in own}))}
        counts = np.zeros((len(self.places), len(texts)), dtype=np.float32)
        for column, own in enumerate(words):
            for word in own:
                counts[self.places[word], column] += 1
        lengths = counts.sum(axis=0)
        found = (counts > 0).sum(axis=1)
        rarity = np.log1p((len(texts) - found + 0.5) / (found + 0.5))
        penalty = k1 * (1 - b + b * lengths / max(float(lengths.mean()), 1.0))
        self.weights = rarity[:, None] * counts * (k1 + 1) / (counts + penalty)

    def scores(self, query: str) -> np.ndarray:
        """Return one score for each text of the pool; 0 where no word is shared."""
        rows = [self.places[word] for word in WORD.findall(query.lower()) if word in self.places]
        return self.weights[rows].sum(axis=0)

    def nearest(self, query: str, k: int) -> list[int]:
        """Return the places of the `k` best texts, the best first, ties to the lowest place."""
        return [int(place) for place in np.argsort(-self.scores(query), kind="stable")[:k]]
