"""Settings of stage B, gradient matching."""

from __future__ import annotations

import dataclasses
from typing import Any, Sequence

from scripts.common.errors import UserError
from scripts.ddg.step_settings import (
    LOSS_NORMS,
    POOLINGS,
    Optimizer,
    Sampling,
    check_choice,
    check_number,
    check_whole,
    nested,
)

TEACHERS = ("off", "ema")
TEACHER_STARTS = ("shared", "independent")


@dataclasses.dataclass(frozen=True)
class Representative:
    """Representative teacher: `versions` K-means coresets of `size` texts a class, read one after another."""

    versions: int
    size: int

    def __post_init__(self) -> None:
        check_whole("versions", self.versions, 1)
        check_whole("size", self.size, 1)


@dataclasses.dataclass(frozen=True)
class LearnerTraining:
    """How the learner reads texts and is trained between the steps (`scripts.ddg.learners` explains `pooling`)."""

    pooling: str
    max_tokens: int
    batch_size: int
    read_batch_size: int
    optimizer: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "optimizer", nested(Optimizer, self.optimizer, "learner.optimizer"))
        check_choice("learner.pooling", self.pooling, POOLINGS)
        for name in ("max_tokens", "batch_size", "read_batch_size"):
            check_whole(f"learner.{name}", getattr(self, name), 1)


@dataclasses.dataclass(frozen=True)
class MatchSettings:
    """Stage B's settings; the papers' values stand in the config.

    outer_loops: learners begun anew; inner_steps: generator updates in each; learner_steps: learner updates between two
    of these. synthetic_per_class, real_per_class: texts a class and step. temperature: tau of the weights.
    lm_weight: lambda of (1 - lambda) L_GM + lambda L_LM; lm_batch_size: real texts of the latter. loss_norm,
    pad_multiple, max_tokens: how a text's loss is counted. dropout: whether the generator drops units out while it is
    trained. generator_batch: texts in one pass of the generator, 0 = all of a step (memory only).
    representative: {versions, size} or None = random real texts. clusters: of the diverse mini-batches, 0 = texts as
    drawn. interval: outer loops for which the generated texts are kept. teacher: off or ema; teacher_init: whether its
    classifier begins as the student's (shared) or by a draw of its own; teacher_decay: of its moving average.
    monitor_texts: real texts whose loss is watched at each refresh. save_loops: outer loops between two checkpoints, a
    multiple of `interval`; 0 = none.
    """

    text_columns: Sequence[str]
    outer_loops: int
    inner_steps: int
    learner_steps: int
    synthetic_per_class: int
    real_per_class: int
    temperature: float
    lm_weight: float
    lm_batch_size: int
    max_tokens: int
    loss_norm: str
    pad_multiple: int
    dropout: bool
    generator_batch: int
    optimizer: Any
    representative: Any
    clusters: int
    interval: int
    teacher: str
    teacher_init: str
    teacher_decay: float
    learner: Any
    sampling: Any
    monitor_texts: int
    save_loops: int

    def __post_init__(self) -> None:
        for name, kind in (("optimizer", Optimizer), ("learner", LearnerTraining), ("sampling", Sampling)):
            object.__setattr__(self, name, nested(kind, getattr(self, name), name))
        if self.representative is not None:
            object.__setattr__(self, "representative", nested(Representative, self.representative, "representative"))
        for name in (
            "outer_loops",
            "inner_steps",
            "synthetic_per_class",
            "real_per_class",
            "lm_batch_size",
            "interval",
        ):
            check_whole(name, getattr(self, name), 1)
        for name in ("learner_steps", "generator_batch", "clusters", "monitor_texts", "save_loops"):
            check_whole(name, getattr(self, name), 0)
        check_number("temperature", self.temperature, 0, above=True)
        check_number("lm_weight", self.lm_weight, 0, 1)
        check_number("teacher_decay", self.teacher_decay, 0, 1)
        check_choice("loss_norm", self.loss_norm, LOSS_NORMS)
        check_choice("teacher", self.teacher, TEACHERS)
        check_choice("teacher_init", self.teacher_init, TEACHER_STARTS)
        if self.clusters and self.synthetic_per_class % self.clusters:
            raise UserError(
                f"clusters: {self.clusters} does not divide synthetic_per_class ({self.synthetic_per_class})"
            )
        if self.save_loops % self.interval:
            raise UserError(f"save_loops: {self.save_loops} is no multiple of interval ({self.interval})")
