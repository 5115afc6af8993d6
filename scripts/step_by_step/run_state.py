"""Where a training run stands: step, losses, evaluations, best weights; kept on disk so that a killed run goes on.

A checkpoint lies in a folder named by everything its run depends on (`scripts.lm.checkpoints`), so a run only ever goes
on from its own; the resumed run ends with the same numbers as one that was never stopped.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, Sequence

import torch

from scripts.common.errors import UserError
from scripts.lm.loop import optimizer_tensors, restore_optimizer

if TYPE_CHECKING:
    from scripts.step_by_step.encoding import EncodedTask
    from scripts.step_by_step.exams import Answers
    from scripts.step_by_step.settings_train import TrainSettings
    from scripts.step_by_step.splits import Run
    from scripts.step_by_step.students import SingleStudent, StackedStudents

logger = logging.getLogger(__name__)


class RunState:
    """The state of all runs of one student."""

    def __init__(
        self,
        student: SingleStudent | StackedStudents,
        optimizer: Any,
        settings: TrainSettings,
        runs: Sequence[Run],
        tasks: Sequence[Sequence[EncodedTask]],
        checkpoints: Path | None,
    ) -> None:
        if settings.save_steps and checkpoints is None:
            raise UserError("save_steps: checkpoints need a folder; give one or set save_steps to 0")
        self.student, self.optimizer = student, optimizer
        self.step = 0
        self.losses: list[list[float]] = []
        self.histories: list[list[dict[str, float]]] = [[] for _ in runs]
        self.best: list[dict[str, torch.Tensor] | None] = [None for _ in runs]
        self.last: list[Mapping[str, Answers]] = [{} for _ in runs]
        self.folder = self._folder(settings, runs, tasks, checkpoints) if settings.save_steps and checkpoints else None

    def _folder(
        self, settings: TrainSettings, runs: Sequence[Run], tasks: Sequence[Sequence[EncodedTask]], root: Path
    ) -> Path:
        from scripts.lm.checkpoints import checkpoint_folder, digest_of_examples, digest_of_tensors

        rows = [
            {"ids": part.ids.tolist(), "starts": part.starts.tolist()}
            for of_run in tasks
            for task in of_run
            for part in (task.inputs, task.targets)
        ]
        key = {
            "rows": digest_of_examples(rows),
            "weights": digest_of_tensors(self.student.tensors()),
            "runs": [[run.seed, run.label_type, run.alpha] for run in runs],
        }
        return checkpoint_folder(root, settings.given(), key)

    def note_exams(self, answers: Sequence[Mapping[str, Answers]], losses: Sequence[float]) -> dict[str, float]:
        """Add an evaluation to each run's history, keep the best weights; return the mean accuracies over the runs."""
        self.last = list(answers)
        for number, found in enumerate(answers):
            entry: dict[str, float] = {"step": self.step, "train_loss": round(losses[number], 6)}
            entry.update({f"{name}_accuracy": _share(one.correct) for name, one in found.items()})
            before = [old["valid_accuracy"] for old in self.histories[number] if "valid_accuracy" in old]
            self.histories[number].append(entry)
            if "valid_accuracy" in entry and entry["valid_accuracy"] > max(before, default=-1.0):
                self.best[number] = self.student.state(number)
        means: dict[str, float] = {}
        for name in ("test_accuracy", "valid_accuracy"):
            values = [history[-1][name] for history in self.histories if name in history[-1]]
            if values:
                means[name] = sum(values) / len(values)
        return means

    # ---- on disk -----------------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write a checkpoint, whole or not at all."""
        from scripts.lm.checkpoints import STATE, is_first_process, save_state

        if self.folder is None or not is_first_process():
            return
        tensors = {f"weights.{name}": value for name, value in self.student.tensors().items()}
        tensors.update(optimizer_tensors(self.optimizer))
        for number, state in enumerate(self.best):
            tensors.update({f"best.{number}.{name}": value for name, value in (state or {}).items()})
        facts = {"step": self.step, "losses": self.losses, "histories": self.histories}
        save_state(self.folder / STATE, tensors, facts)

    def resume(self) -> None:
        """Take up the run where its checkpoint left it, if it has one."""
        from scripts.lm.checkpoints import STATE, load_state

        found = load_state(self.folder / STATE) if self.folder else None
        if found is None:
            return
        tensors, facts = found
        with torch.no_grad():
            for name, value in self.student.tensors().items():
                value.copy_(tensors[f"weights.{name}"])
        for name, tensor in tensors.items():
            kind, _, rest = name.partition(".")
            if kind == "best":
                number, _, field = rest.partition(".")
                best = self.best[int(number)] or {}
                best[field] = tensor
                self.best[int(number)] = best
        restore_optimizer(self.optimizer, tensors)
        self.step, self.losses, self.histories = facts["step"], facts["losses"], facts["histories"]
        logger.info("resumed at step %d from %s", self.step, self.folder)

    def finish(self) -> None:
        """Remove the checkpoint of the finished run."""
        from scripts.lm.checkpoints import remove_checkpoints

        if self.folder is not None:
            remove_checkpoints(self.folder)


def _share(correct: Sequence[bool]) -> float:
    return round(sum(correct) / len(correct), 9)
