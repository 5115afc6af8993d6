"""How results and costs are printed."""

from __future__ import annotations

GIGA = 1e9
MEASURES: dict[str, tuple[str, str, int]] = {
    "accuracy": ("accuracy", "", 3),
    "exact_match": ("exact match", "", 3),
    "rouge_1": ("ROUGE-1", "", 3),
    "rouge_l": ("ROUGE-L", "", 3),
    "reference_loglik_nats_per_token": ("log-likelihood", "nats per token", 3),
}
"""Of each measure: its name, unit and decimals."""
