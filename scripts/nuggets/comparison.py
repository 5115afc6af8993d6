"""What one table or figure compares: the settings of the steps that make them, as the plan gives them."""

from __future__ import annotations

import dataclasses
from typing import Any, Mapping, Sequence

from scripts.nuggets.benchmarks import UNSCORED, experiment


@dataclasses.dataclass(frozen=True)
class Comparison:
    """dataset: the pool; model: it scores the pool and is fine-tuned; anchors: the anchor set whose scores are shown;
    scored: the methods that choose by golden score; show: the config's key that is named like the table or figure.
    """

    dataset: str
    model: str
    anchors: str
    scored: Sequence[str]
    show: Mapping[str, Any]

    def experiment(self, what: str, method: str, anchors: str | None = None) -> str:
        """Return the experiment under which a method's values stand; anchors: another set than the main one."""
        return experiment(what, (anchors or self.anchors) if method in self.scored else UNSCORED)
