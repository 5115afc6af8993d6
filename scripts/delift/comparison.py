"""What one table or figure compares: the settings of the steps that make them, as the plan gives them."""

from __future__ import annotations

import dataclasses
from typing import Any, Mapping, Sequence

from scripts.common.measured import NOT_MEASURED, Measured
from scripts.common.sizes import percent_name

PAPER = "delift"
ANSWERS = "answers"
"""Experiment: what a model answers once it has learnt from a subset; setting `<pair>/<learning>/percent_<n>`."""
CHOICES = "choices"
"""Experiment: what a method chooses, before anything is learnt from it; setting `<pair>/percent_<n>`."""
TIME_COLUMNS = ("pair", "model", "part", "seconds")
"""Of the table that `collect_times` writes."""
GRADES = (1, 2, 3, 4, 5)
"""The whole grades of the judge."""
LIKELIHOOD = "reference_loglik_nats_per_token"
KINDS = {
    "words": ("exact_match", "rouge_1", "rouge_l", "bleu"),
    "similarity": ("bge_cosine", "bert_score"),
    "grades": ("judge_score",),
}
"""Measures of an answer by what they take: its words alone, the embedding model, the judge. Words come with
LIKELIHOOD, which the answering model gives."""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One table or figure.

    not_run: why the tier leaves it out, None if it does not. runs: {pair, model, stage} of all that is shown; planned:
    [pair, model] of those that are run, sorted. rows: [method, percent] of its subsets. learnings: ways of learning;
    metrics: of an answer; methods, percents: of a figure by size, in its order. by: what each method chooses by.
    """

    not_run: str | None
    runs: Sequence[Mapping[str, Any]]
    planned: Sequence[Sequence[str]]
    rows: Sequence[Sequence[Any]]
    learnings: Sequence[str] = ()
    metrics: Sequence[str] = ()
    methods: Sequence[str] = ()
    percents: Sequence[float] = ()
    by: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def stage(self, pair: str) -> int:
        """Return the stage of a pair that is shown."""
        return next(run["stage"] for run in self.runs if run["pair"] == pair)

    def why_empty(self, measured: Measured) -> str:
        """Return why there is nothing to show: what the config says, or the first obstacle of what was to be run."""
        if self.not_run:
            return f"not run: {self.not_run}"
        models = {run["model"] for run in self.runs}
        told = [row["reason"] for row in measured.reasons if row["model"] in models]
        return next(iter(told), NOT_MEASURED)


def label_of_pair(pair: str) -> str:
    """Return how a pair is printed."""
    return pair.replace("_", " ")


def setting_of(pair: str, learning: str, percent: float) -> str:
    """Return the `setting` of an answer's measures in the long schema."""
    return f"{pair}/{learning}/{percent_name(percent)}"


def choice_setting(pair: str, percent: float) -> str:
    """Return the `setting` of what was chosen, before anything is learnt from it."""
    return f"{pair}/{percent_name(percent)}"


def kind_of(measure: str) -> str:
    """Return the kind of a measure of answers, a key of KINDS."""
    return next((kind for kind, names in KINDS.items() if measure in names), "words")
