"""Settings that several DDG steps share, as frozen dataclasses that check themselves."""

from __future__ import annotations

import dataclasses
from typing import Any, Sequence, Type, TypeVar

from scripts.common.errors import UserError, did_you_mean
from scripts.common.settings import settings_of
from scripts.lm.optimizer_options import DECAY_RULES, EPSILON_RULES, SCHEDULES, WARMUP_ROUNDINGS

T = TypeVar("T")

LOSS_NORMS = ("padded", "tokens")
POOLINGS = ("model", "first", "mean")
DRAW_SEEDS = ("released", "named")


def nested(kind: Type[T], value: Any, key: str) -> T:
    """Return the mapping `value` as dataclass `kind`; messages name `key`. A ready `kind` is returned as it is."""
    return value if isinstance(value, kind) else settings_of(kind, value, key)


def check_choice(key: str, value: Any, known: Sequence[str]) -> None:
    """Raise `UserError` unless `value` is one of `known`."""
    if value not in known:
        raise UserError(f"{key}: '{value}' is not one of {', '.join(known)}{did_you_mean(str(value), known)}")


def check_whole(key: str, value: Any, low: int) -> None:
    """Raise `UserError` unless `value` is a whole number of at least `low`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise UserError(f"{key}: {value!r} is not a whole number >= {low}")


def check_number(key: str, value: Any, low: float, high: float = float("inf"), *, above: bool = False) -> None:
    """Raise `UserError` unless `value` is a number in [low, high] (above: in (low, high])."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not low <= value <= high or (above and value == low):
        raise UserError(f"{key}: {value!r} is not a number {'above' if above else 'from'} {low:g} up to {high:g}")


def check_sizes_wanted(dpcs: Sequence[int], draws: int) -> None:
    """Raise `UserError` unless there are different sizes from 1 on and at least one draw."""
    check_whole("draws", draws, 1)
    if not dpcs or len(set(dpcs)) != len(dpcs):
        raise UserError(f"dpcs: {list(dpcs)!r}; give one or more different sizes")
    for dpc in dpcs:
        check_whole("dpcs", dpc, 1)


def check_draw_seeds(draw_seeds: str, seeds: Sequence[int]) -> None:
    """Raise `UserError` where several seeds of the pipeline would get the same coresets without a word."""
    if draw_seeds == "released" and len(seeds) > 1:
        raise UserError(
            f"sets.draw_seeds: 'released' draws the same real texts for all of {len(seeds)} seeds; set it to 'named',"
            " or name one seed and raise draws"
        )


@dataclasses.dataclass(frozen=True)
class Optimizer:
    """AdamW with a warm-up and a fall of the step size.

    learning_rate: peak step size; schedule: cosine, linear or constant after the warm-up; warmup_ratio: share of the
    steps in which it rises from 0 (the first step has step size 0, as in DiLM); max_grad_norm: largest 2-norm of the
    gradient, 0 = no clipping. weight_decay_on: which weights decay, warmup_rounding: how the steps of the warm-up are
    counted, adam_epsilon_rule: where epsilon is added (`scripts.lm.optimizer_options`); DiLM: except_bert_norms, exact,
    after_correction.
    """

    learning_rate: float
    schedule: str
    warmup_ratio: float
    weight_decay: float
    max_grad_norm: float
    weight_decay_on: str
    warmup_rounding: str
    adam_epsilon_rule: str

    def __post_init__(self) -> None:
        check_number("learning_rate", self.learning_rate, 0)
        check_choice("schedule", self.schedule, SCHEDULES)
        check_choice("weight_decay_on", self.weight_decay_on, DECAY_RULES)
        check_choice("warmup_rounding", self.warmup_rounding, WARMUP_ROUNDINGS)
        check_choice("adam_epsilon_rule", self.adam_epsilon_rule, EPSILON_RULES)
        check_number("warmup_ratio", self.warmup_ratio, 0, 1)
        check_number("weight_decay", self.weight_decay, 0)
        check_number("max_grad_norm", self.max_grad_norm, 0)


@dataclasses.dataclass(frozen=True)
class Sampling:
    """How texts are drawn: nucleus of probability `top_p`, at most `max_new_tokens` tokens, `batch_size` at a time."""

    top_p: float
    max_new_tokens: int
    batch_size: int

    def __post_init__(self) -> None:
        check_number("top_p", self.top_p, 0, 1, above=True)
        check_whole("max_new_tokens", self.max_new_tokens, 1)
        check_whole("batch_size", self.batch_size, 1)


@dataclasses.dataclass(frozen=True)
class Reading:
    """How an encoder reads texts: `pooling` (see scripts.ddg.learners), longest text in tokens, texts a pass."""

    pooling: str
    max_tokens: int
    batch_size: int

    def __post_init__(self) -> None:
        check_choice("pooling", self.pooling, POOLINGS)
        check_whole("max_tokens", self.max_tokens, 1)
        check_whole("batch_size", self.batch_size, 1)
