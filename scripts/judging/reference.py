"""An offline judge: compares answers with a reference answer; exact match first, then ROUGE (the mini tier's judge).

DEVIATION: NUGGETS uses GPT-4 as judge. This one measures agreement with one reference, not quality in general.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Sequence

from scripts.common.errors import UserError
from scripts.judging.judge import FIRST, SECOND, TIE, Item, Pair, Verdict

if TYPE_CHECKING:
    pass

LOWEST, HIGHEST = 1.0, 10.0  # MT-Bench's scale


class ReferenceJudge:
    """Prefers the answer that equals the reference, else the one with the higher ROUGE-L F1; grades by ROUGE-L F1.

    An exact match counts as ROUGE-L 1, also where ROUGE sees no word (it knows Latin letters and digits only).
    lowest, highest: the scale of the grades, MT-Bench's by default.
    """

    name = "reference"

    def __init__(self, lowest: float = LOWEST, highest: float = HIGHEST) -> None:
        self.lowest = lowest
        self.highest = highest

    def prefer(self, pairs: Sequence[Pair]) -> list[Verdict]:
        """Return 1, 2 or, where both answers agree equally with the reference, 1.5. Raises `UserError` without one."""
        references = [_needed(pair.reference, index) for index, pair in enumerate(pairs)]
        first = agreement([pair.output_1 for pair in pairs], references)
        second = agreement([pair.output_2 for pair in pairs], references)
        return [Verdict(FIRST if one > two else SECOND if two > one else TIE) for one, two in zip(first, second)]

    def grade(self, items: Sequence[Item]) -> list[Verdict]:
        """Return grades from lowest (no word in common) to highest (equal). Raises `UserError` without a reference."""
        references = [_needed(item.reference, index) for index, item in enumerate(items)]
        values = agreement([item.answer for item in items], references)
        return [Verdict(self.lowest + (self.highest - self.lowest) * f1) for _, f1 in values]


def agreement(answers: Sequence[str], references: Sequence[str]) -> list[tuple[bool, float]]:
    """Return (exact match, ROUGE-L F1) per answer; they compare in this order."""
    matches = exact_match(answers, references)
    return [(equal, 1.0 if equal else f1) for equal, f1 in zip(matches, rouge(answers, references)["rougeL"])]


def exact_match(answers: Sequence[str], references: Sequence[str]) -> list[bool]:
    """Return whether each answer equals its reference; runs of white space count as one space, case counts."""
    return [answer.split() == reference.split() for answer, reference in zip(answers, references, strict=True)]


def rouge(answers: Sequence[str], references: Sequence[str]) -> dict[str, list[float]]:
    """Return ROUGE-1 and ROUGE-L F1 in [0, 1] per answer (package rouge-score, no stemming)."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rouge1", "rougeL"], use_stemmer=False)
    scores = [scorer.score(reference, answer) for answer, reference in zip(answers, references, strict=True)]
    return {kind: [float(one[kind].fmeasure) for one in scores] for kind in ("rouge1", "rougeL")}


def _needed(reference: str, index: int) -> str:
    if not reference.strip():
        raise UserError(f"answer {index}: no reference to compare it with; choose another judge or add a reference")
    return reference
