"""What the steps that answer, judge and measure agree on: benchmarks, modes of judging, names of experiments."""

from __future__ import annotations

OVERALL = {"alpaca_eval": "all", "mt_bench": "overall"}
"""The name under which each benchmark's published table has the value over all its groups."""
BENCHMARK_OF = {"alpaca_eval": "alpaca_eval", "mt_bench": "mt_bench", "pairwise": "alpaca_eval"}
"""Of each mode of judging: the benchmark whose answers are judged."""
UNSCORED = "unscored"
"""Stands in place of an anchor set where a subset was chosen without golden scores."""
WIN_RATE = "alpaca_eval_win_rate_percent"
GRADE = "mt_bench_score_1_to_10"
LIKELIHOOD = "reference_loglik_nats_per_token"

SCORES = {
    "golden_score": ("nuggets", "golden score"),
    "mean_gain": ("mean_gain", "mean gain"),
    "perplexity": ("perplexity", "low perplexity"),
    "ifd": ("ifd", "IFD"),
    "length": ("length", "longest answers"),
}
"""Of each score of a pool: the method whose colour it takes, and its printed name."""


def experiment(what: str, anchors: str) -> str:
    """Return the experiment of a measured value: what was measured, and by which anchor set the subset was chosen."""
    return f"{what}/{anchors}"


def question_id(text: str) -> int | str:
    """Return the id as FastChat's question file has it: a whole number where it is one."""
    return int(text) if text.isascii() and text.isdigit() else text
