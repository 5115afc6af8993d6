"""How far training is, for the loop that calls back after each step."""

from __future__ import annotations

from typing import Any, Mapping

from scripts.common.progress import Progress


class TrainingProgress:
    """Shows steps, the loss, and at each evaluation the accuracies; as a context."""

    def __init__(self) -> None:
        self._shown: Progress | None = None

    def __enter__(self) -> TrainingProgress:
        return self

    def __exit__(self, *error: Any) -> None:
        if self._shown is not None:
            self._shown.close()

    def __call__(self, step: int, max_steps: int, values: Mapping[str, float]) -> None:
        """Show that a step is done; `values` are the loss and, after an evaluation, accuracies."""
        if self._shown is None:
            self._shown = Progress(max_steps, "steps", done=step - 1, parts=20)
        self._shown.advance(step - self._shown.done, values, line=len(values) > 1)
