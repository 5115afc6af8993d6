"""What MEND's last steps compare: models, settings and the methods that one table or figure shows."""

from __future__ import annotations

import dataclasses
from typing import Any, Mapping, Sequence

from scripts.mend.experiments import AVERAGE


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The part of the config that one table or figure needs; keys that it does not show are left out.

    model: registry name of the language model that ablations and sweeps are about; models: those of the main table;
    order: the settings as they are printed; titles: their printed names; show: the config's block of the same name.
    n_demonstrations, n_vectors: the usual numbers; format: the model's way of joining examples. pretrain, finetune,
    tune, prompt_tuning, train_seed, seeds: settings of training, for the table of hyper-parameters; ablation_steps:
    steps of stage 2 in the ablation (None: as many as elsewhere); efficiency: the config's block of that name.
    """

    model: str
    models: Sequence[str] = ()
    order: Sequence[str] = ()
    titles: Mapping[str, str] = dataclasses.field(default_factory=dict)
    show: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    n_demonstrations: int = 0
    n_vectors: int = 0
    format: str = ""
    seeds: Sequence[int] = ()
    train_seed: int = 0
    pretrain: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    finetune: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    tune: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    prompt_tuning: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    ablation_steps: int | None = None
    efficiency: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def title(self, setting: str) -> str:
        """Return the printed name of a setting."""
        return "Average" if setting == AVERAGE else self.titles[setting]
