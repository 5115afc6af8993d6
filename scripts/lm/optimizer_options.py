"""How each paper's code sets AdamW up: names of the options, and the step sizes that follow from them. Without torch.

Three questions that each code answers in its own way; the options do not depend on each other.

`weight_decay_on`: all; except_norms (the Trainer of transformers: neither biases nor normalisation layers);
except_bert_norms (DiLM, MetaICL: all but names that hold `bias` or `LayerNorm.weight`, so that the norms of BERT are
spared and those of GPT-2, T5 and XLNet decay); matrices (weights of two or more dimensions).
`warmup_rounding`: up (the Trainer: whole steps, rounded up) or exact (DiLM: the product as it is, 0.3 steps too).
`adam_epsilon_rule`: after_correction (torch) or before_correction (the AdamW that transformers had of its own, which
also lets weights decay after the step, not before it; that of MEND, MetaICL and Distilling Step-by-Step).
`scripts.lm.optimizing` makes the optimizer, `scripts.lm.loop` steps it.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

DecayRule = Literal["all", "except_norms", "except_bert_norms", "matrices"]
WarmupRounding = Literal["up", "exact"]
EpsilonRule = Literal["after_correction", "before_correction"]
Schedule = Literal["cosine", "linear", "constant"]
DECAY_RULES: tuple[str, ...] = get_args(DecayRule)
WARMUP_ROUNDINGS: tuple[str, ...] = get_args(WarmupRounding)
EPSILON_RULES: tuple[str, ...] = get_args(EpsilonRule)
SCHEDULES: tuple[str, ...] = get_args(Schedule)


def warmup_length(ratio: float, n_steps: int, rounding: str) -> float:
    """Return the steps of a warm-up that takes the share `ratio` of `n_steps`; rounding: one of WARMUP_ROUNDINGS."""
    return ratio * n_steps if rounding == "exact" else math.ceil(ratio * n_steps)


def step_share(step: int, n_steps: int, warmup: float, schedule: str) -> float:
    """Return the share of the peak step size that step 0, 1, ... of `n_steps` has, as transformers' schedules give it.

    It rises linearly over the first `warmup` steps, which need not be a whole number; step 0 has none of it if there is
    a warm-up. Then it falls to 0 (cosine, linear) or stays (constant).
    """
    if step < warmup:
        return step / max(1.0, warmup)
    if schedule == "constant":
        return 1.0
    progress = (step - warmup) / max(1.0, n_steps - warmup)
    if schedule == "linear":
        return max(0.0, (n_steps - step) / max(1.0, n_steps - warmup))
    return max(0.0, 0.5 * (1.0 + math.cos(math.pi * progress)))
