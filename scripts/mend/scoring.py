"""Answering queries by their options: the option with the highest mean token log-probability (MetaICL), and metrics.

The prefix (demonstrations, distilled vectors, a soft prompt, or nothing) is run once and shared by all queries and
options; scores come from the shared scorer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping, Sequence

import numpy as np

from scripts.common.errors import UserError

if TYPE_CHECKING:
    from scripts.lm.score import PackedContinuations, PrefixCache, Scorer
    from scripts.mend.demonstrations import Encoder

METRICS = ("macro_f1", "accuracy")


class Queries:
    """Rows to be answered, with their options encoded and packed once for all prefixes.

    Raises `UserError` for a row without options.
    """

    def __init__(self, scorer: Scorer, encoder: Encoder, rows: Sequence[Mapping[str, Any]], source: str) -> None:
        from scripts.lm.score import Continuation

        self.rows = list(rows)
        self.options = [check_options(row, f"{source}:{number}") for number, row in enumerate(rows, start=1)]
        items = []
        for row, options in zip(rows, self.options):
            for option in options:
                example = encoder.query(row, option)
                items.append(Continuation(example.query, example.predicted))
        self.packed: PackedContinuations = scorer.pack(items)
        self._scorer = scorer

    def scores(self, prefix: PrefixCache | Sequence[int] | None, scorer: Scorer | None = None) -> list[np.ndarray]:
        """Return, per row, the mean log-probability per token of each option, in nats.

        scorer: of another model with the same vocabulary, where it is not the one that the rows were packed with.
        """
        found = (scorer or self._scorer).score(prefix, self.packed)
        means = found.logprob_sums / np.maximum(found.n_tokens, 1)
        ends = np.cumsum([len(options) for options in self.options])[:-1]
        return np.split(means, ends)

    def answers(self, prefix: PrefixCache | Sequence[int] | None, scorer: Scorer | None = None) -> list[str]:
        """Return the best option of each row; of equal ones the first in alphabetical order.

        Scores within 1e-6 nats count as equal, so that neither rounding nor the options' order decides.
        """
        return [best_option(options, values) for options, values in zip(self.options, self.scores(prefix, scorer))]


def best_option(options: Sequence[str], scores: Sequence[float]) -> str:
    """Return the option with the highest score; ties (within 1e-6) go to the first in alphabetical order."""
    top = max(scores)
    return min(option for option, value in zip(options, scores) if value >= top - 1e-6)


def check_options(row: Mapping[str, Any], place: str) -> list[str]:
    """Return a row's options. Raises `UserError` if there are none: then nothing can be chosen."""
    if not row["options"]:
        raise UserError(
            f"{place}: task {row.get('task', '')} has no options; classification and multiple choice need them"
            " (leave free-form tasks out of the evaluation)"
        )
    return list(row["options"])


def accuracy(predicted: Sequence[str], gold: Sequence[str]) -> float:
    """Return the share of right answers."""
    _check_lengths(predicted, gold)
    return sum(ours == right for ours, right in zip(predicted, gold)) / len(gold)


def macro_f1(predicted: Sequence[str], gold: Sequence[str]) -> float:
    """Return the mean F1 over the classes that occur among the gold answers, as MetaICL computes it.

    A class that is never predicted has F1 0; a class that is only predicted lowers the others' recall, but is none of
    the mean.
    """
    _check_lengths(predicted, gold)
    values = []
    for name in sorted(set(gold)):
        hits = sum(ours == right == name for ours, right in zip(predicted, gold))
        values.append(2 * hits / (sum(one == name for one in predicted) + sum(one == name for one in gold)))
    return sum(values) / len(values)


def task_metrics(predicted: Sequence[str], gold: Sequence[str], own: str) -> dict[str, float]:
    """Return macro_f1, accuracy and score (the task's own of the two)."""
    if own not in METRICS:
        raise UserError(f"metric '{own}': not one of {', '.join(METRICS)}")
    values = {"macro_f1": macro_f1(predicted, gold), "accuracy": accuracy(predicted, gold)}
    return {**values, "score": values[own]}


def _check_lengths(predicted: Sequence[str], gold: Sequence[str]) -> None:
    if len(predicted) != len(gold) or not gold:
        raise ValueError(f"{len(predicted)} predictions for {len(gold)} gold answers")
