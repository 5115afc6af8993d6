"""What to watch while the generator is trained: a better cosine alone does not mean better texts."""

from __future__ import annotations

from typing import Sequence


def distinct_n(texts: Sequence[Sequence[str]], n: int) -> float:
    """Return the number of different n-grams of words over the number of all n-grams; 0 if there are none."""
    grams: set[tuple[str, ...]] = set()
    total = 0
    for text in texts:
        for column in text:
            words = column.split()
            for start in range(len(words) - n + 1):
                grams.add(tuple(words[start : start + n]))
                total += 1
    return len(grams) / total if total else 0.0


def distinct_texts(texts: Sequence[Sequence[str]]) -> float:
    """Return the share of texts that do not repeat an earlier one; 0 if there are none."""
    return len({tuple(text) for text in texts}) / len(texts) if texts else 0.0
