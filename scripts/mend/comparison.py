"""What MEND's last steps compare: backbones, settings with their tasks, and the contents of each artifact."""

from __future__ import annotations

import dataclasses
from typing import Any, Mapping, Sequence


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The part of the config that tables and figures need.

    backbones: registry model of each backbone of the main table; settings: the test tasks of each setting; order: the
    settings as they are printed; titles: their printed names; train_sets: whose rows each setting trains on; backbone,
    study_settings: what ablations and sweeps are about; pretrain, finetune, tune, prompt_tuning: settings of training,
    for the table of hyper-parameters; ablation_steps: steps of stage 2 in the ablation (None: as many as elsewhere);
    format: the backbone's way of joining examples. The others are the config's blocks of the same name.
    """

    backbones: Mapping[str, str]
    settings: Mapping[str, Sequence[str]]
    order: Sequence[str]
    titles: Mapping[str, str]
    train_sets: Mapping[str, str]
    backbone: str
    study_settings: Sequence[str]
    seeds: Sequence[int]
    n_demonstrations: int
    train_seed: int
    pretrain: Mapping[str, Any]
    finetune: Mapping[str, Any]
    tune: Mapping[str, Any]
    prompt_tuning: Mapping[str, Any]
    ablation_steps: int | None
    efficiency: Mapping[str, Any]
    attention: Mapping[str, Any]
    table_2: Mapping[str, Any]
    table_3: Mapping[str, Any]
    table_4: Mapping[str, Any]
    table_separators: Mapping[str, Any]
    table_unseen_labels: Mapping[str, Any]
    figure_4: Mapping[str, Any]
    figure_lambda: Mapping[str, Any]
    format: str

    @property
    def model(self) -> str:
        """Return the registry name of the language model that ablations and sweeps are about."""
        return self.backbones[self.backbone]

    def title(self, setting: str) -> str:
        """Return the printed name of a setting."""
        return "Average" if setting == "average" else self.titles[setting]
