"""What the tables and figures compare: one set of settings for the steps that collect values and write tables."""

from __future__ import annotations

import dataclasses
from typing import Any, Mapping

from scripts.selection.methods import check_methods


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The same-named keys of the config's `nuggets`; seed: the config's `data.seed`.

    dataset: the pool; model: it scores the pool and is fine-tuned; anchors: the main anchor set; methods: how
    each subset is chosen; subset_fraction: size of subsets without a threshold.
    """

    dataset: str
    model: str
    anchors: str
    seed: int
    methods: Mapping[str, Mapping[str, Any]]
    subset_fraction: float
    table_1: Mapping[str, Any]
    table_2: Mapping[str, Any]
    table_3: Mapping[str, Any]
    table_baselines: Mapping[str, Any]
    figure_scores: Mapping[str, Any]
    figure_pairwise: Mapping[str, Any]
    figure_anchor_sizes: Mapping[str, Any]
    table_racing: Mapping[str, Any]

    def __post_init__(self) -> None:
        check_methods(self.methods, "nuggets.methods")

    def order(self, score: str) -> str:
        """Return whether the highest or the lowest values of a score are the chosen ones, as the methods say."""
        if score.startswith(("golden_score", "mean_gain")):
            return "highest"
        return next(
            (str(r["order"]) for r in self.methods.values() if r.get("by") == score and "order" in r), "highest"
        )
