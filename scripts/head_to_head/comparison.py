"""What the head-to-head compares, read by the steps that collect and show it."""

from __future__ import annotations

import dataclasses
from typing import Any, Mapping, Sequence

LEVELS = ("initial", "full")
"""Beside the methods: the model as it is, and the model that has learnt from the whole pool."""
COUNTED = {
    "golden_score": "golden_score",
    "utility": "utility",
    "mean_utility": "utility",
    "perplexity": "perplexity",
    "ifd": "ifd",
    "selectit": "selectit",
    "less": "less",
    "embedding": "embedding",
    "deft_ucs": "embedding",
    "herding": "embedding",
    "k_center": "embedding",
}
"""What a method needs of the pool, by what it chooses by (`count_selection`); nothing for the others."""
CHOOSING = "choosing"
TRAINING = "training"
"""The settings under which the operations of choosing, and of one training run, stand in the metrics."""


@dataclasses.dataclass(frozen=True)
class Selection:
    """The config's `head_to_head.selection`, and of each of its methods what it chooses by."""

    not_run: str | None
    pair: str
    model: str
    learning: str
    percents: Sequence[int]
    seeds: Sequence[int]
    methods: Sequence[str]
    shown: Sequence[str]
    by: Mapping[str, str]

    def sizes(self, method: str) -> list[int]:
        """Return the sizes of a method's subsets in percent of the pool."""
        return {"initial": [0], "full": [100]}.get(method, list(self.percents))


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Both halves of the head-to-head."""

    selection: Mapping[str, Any]

    @property
    def choices(self) -> Selection:
        """The half about selection."""
        return Selection(**self.selection)


def setting_of(percent: int) -> str:
    """Return the `setting` of a result in the long schema."""
    return f"percent_{percent}"
