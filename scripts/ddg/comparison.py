"""What DDG's tables and figures compare, and what they share: names, and where their values are kept."""

from __future__ import annotations

import dataclasses
from typing import Any, Callable, Mapping, Sequence

from scripts.common.measured import Measured
from scripts.common.spread import Spread
from scripts.common.tables import Missing
from scripts.ddg.measurements import LEARNERS, context_experiment, context_setting, learner_setting
from scripts.selection.methods import WAYS

NOT_RUN = "Not run in this tier."
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
    """What one table or figure compares, as the plan gives it.

    titles: of its tasks; seeds: of the pipeline; show: the config's key that is named like the table or figure, with
    the tasks and sizes that it takes from table_1 and, in figure_sensitivity, {value: method} for its sweeps.
    metrics (of its tasks), learner, draws: of evaluation A. models: language models asked; context: of evaluation B
    protocol, round and scorers, and where it shows them rounds, draws and n_queries.
    """

    titles: Mapping[str, str]
    seeds: Sequence[int]
    show: Mapping[str, Any]
    metrics: Mapping[str, str] = dataclasses.field(default_factory=dict)
    learner: str = ""
    draws: int = 0
    models: Sequence[str] = ()
    context: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def scorers(self) -> Sequence[str]:
        """Return the scorers of the protocol that is shown."""
        return list(self.context["scorers"])

    def learners_place(self, key: str, title: str, task: str, size: int | str) -> Place:
        """Return the column of learners trained on sets of one size."""
        return Place(key, title, LEARNERS, lambda method: learner_setting(task, size))

    def context_place(self, key: str, title: str, task: str, scorer: str, number: int | None = None) -> Place:
        """Return the column of one round in context; number: the table's own if it is None."""
        shown = self.context["round"] if number is None else number
        experiment = context_experiment(self.context["protocol"])
        return Place(key, title, experiment, lambda method: context_setting(task, scorer, shown, method))


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a column's values are kept. key, title: of the column; setting: of a method's value."""

    key: str
    title: str
    experiment: str
    setting: Callable[[str], str]

    def cell(self, values: Measured, method: str, metric: str, model: str) -> Spread | Missing:
        """Return a method's value, or why there is none."""
        setting = self.setting(method)
        return values.cell(setting, method, metric, experiment=self.experiment, model=model, otherwise=NOT_RUN)

    def published(self, values: Measured, method: str, metric: str, model: str) -> float | None:
        """Return the paper's value, None if it gives none."""
        return values.published_value(self.setting(method), method, metric, experiment=self.experiment, model=model)
