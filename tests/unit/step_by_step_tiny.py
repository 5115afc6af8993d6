"""Settings of small students for the tests of Distilling Step-by-Step."""

from __future__ import annotations

from typing import Any

from scripts.common.step_parser import checked, shipped_config
from scripts.step_by_step.settings_train import JobSettings, TrainSettings

SMALL = {"form": "generic", "metric": "text", "bf16": False, "save_steps": 0}
"""Of one's own rows, in float32, without checkpoints."""


def train_terms(**changes: Any) -> dict[str, Any]:
    """Return the paper's settings of training with some changed, as a job's settings hold them."""
    return {**JobSettings.of(shipped_config())["train"], **SMALL, **changes}


def train_settings(**changes: Any) -> TrainSettings:
    """Return the paper's settings of a student with gold labels, with some changed."""
    return checked(TrainSettings, train_terms(**{"label_type": "gt", "output_rationale": False, **changes}))


def changed(settings: TrainSettings, **changes: Any) -> TrainSettings:
    """Return settings of which some differ. Raises `UserError` as `checked` does."""
    return checked(TrainSettings, {**settings.given(), **changes})
