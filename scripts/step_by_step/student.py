"""One student of the grid: what it learns from and how it is called. Training reads this and not the plan."""

from __future__ import annotations

import dataclasses
from typing import Literal

Way = Literal["task_prefix", "standard", "single_task", "pinto"]
LabelType = Literal["gt", "llm"]


@dataclasses.dataclass(frozen=True)
class Student:
    """One student of the grid. label_type: gt or llm; teacher: whose rationales (and labels); share: of the train rows.

    augmented: unlabelled rows of a second set are added to the train rows.
    """

    dataset: str
    model: str
    method: str
    label_type: str
    teacher: str
    share: float
    run: int
    augmented: bool = False

    @property
    def name(self) -> str:
        """Return the student's name within its data set and model."""
        extra = "-augmented" if self.augmented else ""
        return f"{self.method}-{self.label_type}-{self.teacher}-{100 * self.share:g}{extra}-{self.run}"
