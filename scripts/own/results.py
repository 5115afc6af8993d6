"""What a comparison found for one choice."""

from __future__ import annotations

import dataclasses

from scripts.own.statistics import Difference


@dataclasses.dataclass(frozen=True)
class Result:
    """What one choice reached. name: as it is spoken of; loglik, rouge_1: means over test rows and trainings.

    difference: from random, and the sentence on it; None for random itself. flops, seconds: of choosing, None where
    nothing was counted.
    """

    name: str
    loglik: float
    rouge_1: float
    difference: Difference | None
    said: str
    flops: float | None
    trainings: float | None
    seconds: float | None
