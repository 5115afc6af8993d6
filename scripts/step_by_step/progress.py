"""How far training is: a bar on a terminal, lines in a log."""

from __future__ import annotations

import logging
import sys
from typing import Any, Mapping

LOG = logging.getLogger(__name__)


class Progress:
    """Shows training: a bar on a terminal, a line now and then in a log."""

    LINES = 20  # at most, beside those of evaluations

    def __init__(self) -> None:
        self._bar: Any = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: Any) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, step: int, max_steps: int, values: Mapping[str, float]) -> None:
        """Show that a step is done; `values` are the loss and, after an evaluation, accuracies."""
        shown = {name: f"{value:.4f}" for name, value in values.items() if isinstance(value, float)}
        if sys.stderr.isatty():
            if self._bar is None:
                from tqdm import tqdm

                self._bar = tqdm(total=max_steps, initial=step - 1, unit="step", dynamic_ncols=True)
            self._bar.set_postfix(shown, refresh=False)
            self._bar.update(step - self._bar.n)
        elif len(values) > 1 or step % max(1, max_steps // self.LINES) == 0:
            LOG.info("step %d of %d: %s", step, max_steps, ", ".join(f"{name} {text}" for name, text in shown.items()))
