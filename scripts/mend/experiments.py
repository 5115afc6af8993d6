"""How MEND's measured values are named: by what was measured, never by where it is shown."""

from __future__ import annotations

import dataclasses

PAPER = "mend"
SCORES = "scores"
"""Demonstrations as they are, in their usual number and joined as in training."""
PERTURBED = "perturbed_demonstrations"
NUMBERS = "numbers_of_demonstrations"
FORMATS = "formats"
COST, SECONDS, ATTENTION = "cost", "seconds", "attention"
AVERAGE = "average"
"""The setting of a mean over all settings of the main table."""

SCORE, RATIO = "score_percent", "distillation_ratio"
SEEN, UNSEEN = "accuracy_seen_labels", "accuracy_unseen_labels"


@dataclasses.dataclass(frozen=True)
class Condition:
    """Under what a method is scored: faults of the demonstrations, their number (None: as usual), how they are joined.

    format: the name of a format, default where examples are joined as in training.
    """

    perturbation: str = "none"
    n_demonstrations: int | None = None
    format: str = "default"

    @property
    def name(self) -> str:
        """Return what differs from the usual condition, an empty text if nothing does: wrong_label, k_4, plain."""
        parts = (
            self.perturbation if self.perturbation != "none" else "",
            f"k_{self.n_demonstrations}" if self.n_demonstrations is not None else "",
            self.format if self.format != "default" else "",
        )
        return "-".join(filter(None, parts))

    @property
    def experiment(self) -> str:
        """Return the experiment that asks what this condition does."""
        if self.perturbation != "none":
            return PERTURBED
        if self.format != "default":
            return FORMATS
        return SCORES if self.n_demonstrations is None else NUMBERS

    def setting(self, name: str) -> str:
        """Return the setting text of a setting of tasks under this condition: trained, trained/k_4."""
        return f"{name}/{self.name}" if self.name else name


USUAL = Condition()


def with_number(number: int, usual: int) -> Condition:
    """Return the condition of so many demonstrations where `usual` are the usual ones; zero-shot's 0 is usual too."""
    return Condition(n_demonstrations=None if number in (0, usual) else number)
