"""What the head-to-head compares, read by the steps that collect and show it."""

from __future__ import annotations

import dataclasses
from typing import Any, Mapping, Sequence

from scripts.common.measured import Measured
from scripts.common.settings import settings_of
from scripts.common.sizes import percent_name
from scripts.selection.methods import way_of

PAPER = "head_to_head"
ANSWERS, CHOICES, SHOWING = "answers", "choices", "demonstrations"
"""Experiments: answers of a model that has learnt from a subset; what was chosen; what demonstrations are worth."""
PARTS = ("training", "preparing", "asking")
"""Of what demonstrations cost: once for good, once for a task, for every question."""
CHOOSING = "choosing"
TRAINING = "training"
"""The settings under which the operations of choosing, and of one training run, stand; the experiment is CHOOSING."""
ANSWERING = "answers"
"""The setting under which the accuracies behind demonstrations stand."""


@dataclasses.dataclass(frozen=True)
class Selection:
    """The config's `head_to_head.selection`, and of each of its methods what it chooses by."""

    not_run: str | None
    pair: str
    model: str
    learning: str
    percents: Sequence[float]
    seeds: Sequence[int]
    methods: Sequence[str]
    shown: Sequence[str]
    by: Mapping[str, str]
    good: str = "right"
    """What the good rows of the pool are called, where they are known."""

    def __post_init__(self) -> None:
        for method, by in self.by.items():
            way_of(by, f"selection: by: {method}")

    def answers_of(self, measured: Measured) -> Measured:
        """Return the values of our seeds: DELIFT's run may have more. The model as it is has a seed of its own."""
        seeds = set(map(str, self.seeds))
        kept = [
            row
            for row in measured.rows
            if row["experiment"] != ANSWERS or row["method"] == "initial" or row["seed"] in seeds
        ]
        return Measured([*kept, *measured.reasons], measured.published)

    def setting(self, percent: float) -> str:
        """Return the setting of the answers after learning from subsets of a size."""
        return f"{self.pair}/{self.learning}/{percent_name(percent)}"

    def choice_setting(self, percent: float) -> str:
        """Return the setting of what was chosen at a size."""
        return f"{self.pair}/{percent_name(percent)}"

    def sizes(self, method: str) -> list[int]:
        """Return the sizes of a method's subsets in percent of the pool."""
        return {"initial": [0], "full": [100]}.get(method, list(self.percents))


@dataclasses.dataclass(frozen=True)
class Demonstrations:
    """The config's `head_to_head.demonstrations`: sets of texts, each in the prompt and distilled, and retrieval."""

    not_run: str | None
    task: str
    backbone: str
    model: str
    dpc: int
    sets: Sequence[str]
    retrieval: Sequence[str]
    n_sets: int

    @property
    def methods(self) -> list[str]:
        """All methods in their order: nothing shown, sets in the prompt, retrieved, sets as vectors."""
        return ["zero_shot", *self.sets, *self.retrieval, *map(vectors_of, self.sets)]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The halves of the head-to-head that a table or figure shows, one or both."""

    selection: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    demonstrations: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def choices(self) -> Selection:
        """The half about selection."""
        return settings_of(Selection, self.selection, "--settings: selection")

    @property
    def shown(self) -> Demonstrations:
        """The half about demonstrations."""
        return settings_of(Demonstrations, self.demonstrations, "--settings: demonstrations")


def vectors_of(method: str) -> str:
    """Return the name of a method's sets as MEND's vectors."""
    return f"mend_{method}"


def seconds_of_answering(times: Mapping[tuple[str, str], float], shown: Demonstrations, method: str) -> float | None:
    """Return the seconds of all questions behind one set, None if they were not measured.

    Sets share a job by how they are shown: its time is divided among them.
    """
    seconds = times.get((method, "answering"))
    if seconds is None or method not in (*shown.sets, *map(vectors_of, shown.sets)):
        return seconds
    return seconds / (shown.n_sets * len(shown.sets))
