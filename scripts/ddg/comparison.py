"""What DDG's last steps compare, and what they share: names, notes."""

from __future__ import annotations

import dataclasses
from typing import Any, Mapping, Sequence

from scripts.selection.methods import WAYS

SCORE = "score_percent"
DIFFERENCE = "difference_percent"
METRIC_NAMES = {
    "accuracy": "accuracy",
    "matthews": "Matthews correlation",
    "accuracy_f1_mean": "mean of accuracy and F1",
}
SCORER_NAMES = {
    "generate": "written answer",
    "labels": "likeliest label",
    "first_token": "likeliest first token",
    "learner": "learner",
}
LABELS = {
    **{name: WAYS[name].title for name in ("random", "herding")},  # chosen sets are called as everywhere
    "ddg": "DDG as described (teacher: moving average)",
    "dilm": "DiLM, DDG as released (no teacher)",
    "ddg_independent": "DDG, teacher's classifier drawn on its own",
    "dilm_no_rt": "without representative teacher",
    "dilm_no_dms": "without diverse mini-batches",
    "dilm_no_selection": "without selection",
    "dilm_released": "DiLM's released sets",
    "vanilla_lm": "vanilla LM, with selection",
    "vanilla_lm_no_selection": "vanilla LM, without selection",
}


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The part of the config that tables and figures need.

    titles, metrics: of each task; models: language models asked in context; seeds, draws: of the sets; the others are
    the config's blocks of the same name, figure_sensitivity with {value: method} for its sweeps.
    """

    titles: Mapping[str, str]
    metrics: Mapping[str, str]
    models: Sequence[str]
    seeds: Sequence[int]
    learner: str
    draws: int
    in_context: Mapping[str, Any]
    table_1: Mapping[str, Any]
    table_2: Mapping[str, Any]
    table_3: Mapping[str, Any]
    table_4: Mapping[str, Any]
    table_7: Mapping[str, Any]
    table_8: Mapping[str, Any]
    table_main: Mapping[str, Any]
    table_long: Mapping[str, Any]
    table_ablation: Mapping[str, Any]
    table_paired: Mapping[str, Any]
    figure_sensitivity: Mapping[str, Any]

    def scorers(self, table: Mapping[str, Any]) -> list[str]:
        """Return the scorers of a table's protocol."""
        return list(self.in_context["protocols"][table["protocol"]]["scorers"])


def paired(first: Mapping[Any, float], second: Mapping[Any, float]) -> dict[Any, float]:
    """Return the differences of what both hold, key by key."""
    return {key: first[key] - second[key] for key in first if key in second}
