"""How far long work is: a bar on a terminal, in a log now and then a line; both say how long the rest may take."""

from __future__ import annotations

import logging
import os
import sys
import time
from typing import Any, Mapping

from scripts.common.durations import in_words

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 30.0


class Progress:
    """Counts what is done, as a context. Of several processes only the first shows it.

    total: how many there are in all; unit: of what, in the plural; done: so many were there before this run. A log gets
    a line every half minute, and at `parts` equal parts of the whole.
    """

    def __init__(self, total: int, unit: str, *, done: int = 0, parts: int = 0) -> None:
        self.total, self.unit, self.done, self.parts = total, unit, done, parts
        self._first = done
        self._begin = self._last_line = time.monotonic()
        self._silent = os.environ.get("RANK", "0") != "0"
        self._bar: Any = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the terminal's line."""
        if self._bar is not None:
            self._bar.close()

    def advance(self, count: int = 1, values: Mapping[str, float] | None = None, *, line: bool = False) -> None:
        """Count `count` more. values: what to show beside them; line: write a line now."""
        before, self.done = self.done, self.done + count
        shown = ", ".join(f"{name} {value:.4g}" for name, value in (values or {}).items())
        if self._silent:
            return
        if sys.stderr.isatty():
            self._move_bar(count, shown)
            return
        new_part = self.parts and self.done * self.parts // self.total > before * self.parts // self.total
        if line or new_part or time.monotonic() - self._last_line > SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            logger.info("%d of %d %s%s%s", self.done, self.total, self.unit, shown and f": {shown}", self._rest())

    def _move_bar(self, count: int, shown: str) -> None:
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(total=self.total, initial=self.done - count, unit=f" {self.unit}", dynamic_ncols=True)
        self._bar.set_postfix_str(shown, refresh=False)
        self._bar.update(count)

    def _rest(self) -> str:
        """Return how long the rest may take, going by the speed so far; nothing at the end."""
        if self.done >= self.total or self.done == self._first:
            return ""
        seconds = (time.monotonic() - self._begin) / (self.done - self._first) * (self.total - self.done)
        return f"; about {in_words(seconds)} left"
