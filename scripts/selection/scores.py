"""Which of a pool's rows a score can choose, and in which order: the one rule of subsets and of the quality table."""

from __future__ import annotations

from typing import Sequence

IFD_LIMIT = 1.0


def eligible(score: str, values: Sequence[float | None], end: str) -> list[float | None]:
    """Return the values of a score, None for rows that are never chosen by it.

    score: its name (`ifd`, `perplexity`, ...); end: `highest` or `lowest`, the end that is taken. A row without a value
    is never chosen. An IFD of 1 or more says that the instruction does not help its answer: where high values are
    chosen as "hard", such a row is never one of them (Li et al., 2024; Superfiltering).
    """
    if score != "ifd" or end != "highest":
        return list(values)
    return [value if value is not None and value < IFD_LIMIT else None for value in values]


def best(values: Sequence[float | None], n: int, end: str) -> list[int]:
    """Return the n rows with the highest or lowest values, best first, ties to the lower row; None is never taken."""
    sign = -1.0 if end == "highest" else 1.0
    known = [(sign * value, row) for row, value in enumerate(values) if value is not None]
    return [row for _, row in sorted(known)[:n]]
