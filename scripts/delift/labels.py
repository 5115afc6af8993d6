"""How DELIFT's ways of learning, metrics and subsets are printed in tables, figures and the viewer."""

from __future__ import annotations

from scripts.selection.methods import method_label

LEARNING_LABELS = {"icl": "ICL", "peft": "PEFT", "fft": "full fine-tuning"}
METRICS: dict[str, tuple[str, str, int]] = {
    "exact_match": ("exact match", "", 3),
    "rouge_1": ("ROUGE-1", "", 3),
    "rouge_l": ("ROUGE-L", "", 3),
    "bleu": ("BLEU", "", 3),
    "bge_cosine": ("BGE", "", 3),
    "bert_score": ("BERTScore", "", 3),
    "judge_score": ("LAJ", "1 to 5", 2),
    "known_share": ("known", "", 3),
    "reference_loglik_nats_per_token": ("log-likelihood", "nats per token", 3),
}
"""Of each metric: its name, unit and decimals."""


def row_label(method: str, percent: float) -> str:
    """Return how a subset is printed: its method, and its size where that says something."""
    return method_label(method) if percent in (0, 100) else f"{method_label(method)}, {percent} %"
