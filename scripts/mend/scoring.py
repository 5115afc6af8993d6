"""Answering queries by their options: the option with the highest mean token log-probability (MetaICL), and metrics.

The prefix (demonstrations, distilled vectors, a soft prompt, or nothing) is run once and shared by all queries and
options; scores come from the shared scorer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping, Sequence, get_args

import numpy as np

from scripts.common.errors import UserError
from scripts.common.settings import check_choice
from scripts.mend.demonstrations import cut_left
from scripts.mend.settings_steps import F1Kind, Tie

if TYPE_CHECKING:
    from scripts.lm.score import PackedContinuations, PrefixCache, Scorer
    from scripts.mend.demonstrations import Encoder

METRICS = ("macro_f1", "accuracy")
F1_KINDS: tuple[str, ...] = get_args(F1Kind)
TIES: tuple[str, ...] = get_args(Tie)
EQUAL = 1e-6  # nats within which scores count as equal, so that rounding never decides


class Queries:
    """Rows to be answered, with their options encoded and packed once for all prefixes.

    first: whether no demonstrations stand before the rows. demonstrations: the tokens of those that the language model
    reads; they decide what of a row must be cut (see `PromptFormat.room`). Raises `UserError` for a row without
    options.
    """

    def __init__(
        self,
        scorer: Scorer,
        encoder: Encoder,
        rows: Sequence[Mapping[str, Any]],
        source: str,
        *,
        first: bool = False,
        demonstrations: Sequence[int] = (),
    ) -> None:
        from scripts.lm.score import Continuation

        self.rows = list(rows)
        self.options = [check_options(row, f"{source}:{number}") for number, row in enumerate(rows, start=1)]
        self._scorer, self._encoder, self._source, self._first = scorer, encoder, source, first
        items = []
        for row, options in zip(self.rows, self.options):
            for one in encoder.asked(row, options, first=first, shown=len(demonstrations)):
                items.append(Continuation(one.query, one.predicted))
        form = encoder.form
        by_options = form.room == "mend"
        self._free = min(
            (
                form.max_tokens - len(item.query_ids) - (2 if by_options else 1) * len(item.answer_ids)
                for item in items
                if not (by_options and encoder.channel)  # there options stand before the input and are never cut
            ),
            default=form.max_tokens,
        )
        self.whole = not by_options and len(demonstrations) > self._free
        if self.whole:
            items = [
                Continuation(
                    cut_left((*demonstrations, *item.query_ids), form.max_tokens - len(item.answer_ids)),
                    item.answer_ids,
                )
                for item in items
            ]
        self.packed: PackedContinuations = scorer.pack(items)

    def behind(self, demonstrations: Sequence[int]) -> Queries:
        """Return the same rows as they are asked behind the tokens of some demonstrations: these, or cut ones.

        Where demonstrations and query together are cut from the left (room `metaicl`) the result is `whole`: it holds
        what is left of the demonstrations before each query, and is scored without a prefix.
        """
        if len(demonstrations) <= self._free:
            return self
        return Queries(
            self._scorer,
            self._encoder,
            self.rows,
            self._source,
            first=self._first,
            demonstrations=demonstrations,
        )

    def scores(self, prefix: PrefixCache | Sequence[int] | None, scorer: Scorer | None = None) -> list[np.ndarray]:
        """Return, per row, the mean log-probability per token of each option, in nats.

        scorer: of another model with the same vocabulary, where it is not the one that the rows were packed with.
        """
        found = (scorer or self._scorer).score(prefix, self.packed)
        means = found.logprob_sums / np.maximum(found.n_tokens, 1)
        ends = np.cumsum([len(options) for options in self.options])[:-1]
        return np.split(means, ends)

    def answers(
        self, prefix: PrefixCache | Sequence[int] | None, scorer: Scorer | None = None, ties: str = "first"
    ) -> list[str]:
        """Return the best option of each row, see `best_option`."""
        scores = self.scores(prefix, scorer)
        return [best_option(options, values, ties) for options, values in zip(self.options, scores)]


def best_option(options: Sequence[str], scores: Sequence[float], ties: str = "first") -> str:
    """Return the option with the highest score.

    ties: which of equal ones (within `EQUAL`): the `first` of the row, as in both releases, or the first in
    `alphabetical` order, which does not depend on the row's.
    """
    check_choice("ties", ties, TIES)
    top = max(scores)
    best = [option for option, value in zip(options, scores) if value >= top - EQUAL]
    return best[0] if ties == "first" else min(best)


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


def macro_f1(predicted: Sequence[str], gold: Sequence[str], classes: str = "union") -> float:
    """Return the mean F1 over classes; one that is never predicted, or is only predicted, has F1 0.

    classes: those that are right or predicted for any row (`union`: MEND's release, scikit-learn's mean), or only those
    that are right for any row (`gold`: MetaICL's release; a class that is only predicted lowers the others' recall, but
    is none of the mean).
    """
    _check_lengths(predicted, gold)
    check_choice("f1", classes, F1_KINDS)
    values = []
    for name in sorted({*gold, *predicted} if classes == "union" else {*gold}):
        hits = sum(ours == right == name for ours, right in zip(predicted, gold))
        values.append(2 * hits / (sum(one == name for one in predicted) + sum(one == name for one in gold)))
    return sum(values) / len(values)


def task_metrics(predicted: Sequence[str], gold: Sequence[str], own: str, f1: str = "union") -> dict[str, float]:
    """Return macro_f1 (over the classes that `f1` names), accuracy and score (the task's own of the two)."""
    if own not in METRICS:
        raise UserError(f"metric '{own}': not one of {', '.join(METRICS)}")
    values = {"macro_f1": macro_f1(predicted, gold, f1), "accuracy": accuracy(predicted, gold)}
    return {**values, "score": values[own]}


def _check_lengths(predicted: Sequence[str], gold: Sequence[str]) -> None:
    if len(predicted) != len(gold) or not gold:
        raise ValueError(f"{len(predicted)} predictions for {len(gold)} gold answers")
