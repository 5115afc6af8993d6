"""Columns of the files that both evaluations write, and the names of their reference rows."""

from __future__ import annotations

LEARNER_COLUMNS = ("method", "dpc", "seed", "draw", "model_seed", "metric", "value", "n")
CONTEXT_COLUMNS = (
    "protocol",
    "scorer",
    "method",
    "round",
    "seed",
    "draw",
    "accuracy",
    "low",
    "high",
    "n",
    "prefix_tokens",
)
FULL = "full"  # learners trained on all texts: method and size
ZERO_SHOT = "zero_shot"  # a prompt without demonstrations
