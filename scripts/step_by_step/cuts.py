"""What is too long for a student: counted, and said once per kind with the setting to raise.

An input that is cut loses its end, where often the question stands; a rationale that is cut is learnt as if it ended
there; a label longer than the longest answer can never be right.
"""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING, Mapping, Sequence

import numpy as np

from scripts.step_by_step.encoding import EncodedTask, FlatTexts

if TYPE_CHECKING:
    from scripts.step_by_step.exams import Exam
    from scripts.step_by_step.settings_train import TrainSettings

LOG = logging.getLogger(__name__)

NAMES = {key: f"step_by_step.train.{key}" for key in ("max_input_length", "max_target_length", "gen_max_len")}
"""What the limits are called in the config."""


@dataclasses.dataclass
class CutReport:
    """Says what is too long, each kind once.

    names: what the user calls each limit. counted: start tokens that `gen_max_len` counts where the user sets it (the
    original's flag counts one). found: kind -> how many texts and how long the longest is, in tokens with its end.
    """

    names: Mapping[str, str] = dataclasses.field(default_factory=lambda: NAMES)
    counted: int = 0
    found: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)

    def of_training(self, tasks: Sequence[EncodedTask], exam: Exam, settings: TrainSettings) -> None:
        """Look through the texts of one student: what it reads, what it learns to write, what it is asked."""
        self.inputs([tasks[0].inputs, *exam.questions.values()], settings.max_input_length)
        whole = settings.method == "single_task"  # its answers hold the rationale too
        labels = [tasks[0].targets, *([] if whole else exam.wanted.values())]
        longest = settings.gen_max_len
        many, total, top = _above(labels, longest)
        self._say(
            "labels",
            many,
            total,
            top,
            f"{'answers' if whole else 'labels'} are longer than the {longest} tokens of an answer (longest {top}) and "
            f"can never be right; set {self.names['gen_max_len']} to {top + self.counted} or more",
        )
        if whole:
            learnt = {"rationales with their labels": tasks}
        else:
            learnt = {"rationales": tasks[1:], "labels to learn": tasks[:1]}
        for kind, some in learnt.items():
            self._targets(kind, [task.targets for task in some], settings.max_target_length)

    def inputs(self, texts: Sequence[FlatTexts], wanted: int) -> None:
        """Look through inputs; `wanted` is the limit that the user set, which the model's window may undercut."""
        limit = next((one.limit for one in texts if len(one)), wanted)
        many, total, top = _above(texts, limit)
        remedy = f"set {self.names['max_input_length']} to {top} or more"
        if limit < wanted:
            remedy = "the model's window leaves no more room: shorten them or take a model with a longer window"
        what = f"inputs are longer than {limit} tokens (longest {top}) and lose their end; {remedy}"
        self._say("inputs", many, total, top, what)

    def outputs(self, cut: int, total: int, longest: int, key: str) -> None:
        """Say how many outputs did not end within `longest` tokens; `key` is the limit to raise."""
        what = f"outputs were cut after {longest} tokens, before their end; raise {self.names[key]}"
        self._say(f"outputs of {key}", cut, total, longest, what)

    def _targets(self, kind: str, texts: Sequence[FlatTexts], limit: int) -> None:
        many, total, top = _above(texts, limit)
        name = self.names["max_target_length"]
        what = f"{kind} are longer than {limit} tokens (longest {top}), are cut and learnt as if they ended there"
        self._say(kind, many, total, top, f"{what}; set {name} to {top} or more")

    def _say(self, kind: str, many: int, total: int, longest: int, what: str) -> None:
        if many and kind not in self.found:
            self.found[kind] = {"n": many, "of": total, "longest": longest}
            LOG.warning("%d of %d %s", many, total, what)


def _above(texts: Sequence[FlatTexts], limit: int) -> tuple[int, int, int]:
    """Return how many texts have more tokens than the limit, how many there are, and the tokens of the longest."""
    lengths = np.concatenate([one.whole for one in texts]) if texts else np.empty(0, dtype=np.int64)
    return int((lengths > limit).sum()), len(lengths), int(lengths.max(initial=0))
