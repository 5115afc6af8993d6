"""Errors that a user can mend, and how a step ends on them.

A step raises `UserError` with one line that names the file or key and the remedy. `run_step` prints that line and exits
with 1; any other exception is a defect of ours and keeps its traceback.
"""

from __future__ import annotations

import errno
import logging
import sys
from typing import Callable, Sequence

# What would break a line or steer a terminal, where a value of the user's file stands in a message.
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), 127, 0x85)}
_CONTROL |= {10: "\\n", 13: "\\r", 9: "\\t", 0x2028: "\\u2028", 0x2029: "\\u2029"}


class UserError(Exception):
    """A fault in what the user gave: names the file or key and says what to do about it, in one line."""

    def __init__(self, message: str) -> None:
        super().__init__(message.translate(_CONTROL))


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Return " (did you mean 'x'?)" for the closest of `known`, or an empty string."""
    import difflib

    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean '{close[0]}'?)" if close else ""


class RowFault(UserError):
    """A fault of one row: where it stands (`file:line`), and what is wrong with it and how to mend it."""

    def __init__(self, place: str, fault: str) -> None:
        super().__init__(f"{place}: {fault}")
        self.place, self.fault = place, fault


class Faults:
    """The faulty rows of one file: all are counted, the first few are named, and one message says it all.

    source: the file; total: the rows looked at; what: what they are called.
    """

    SHOWN = 3

    def __init__(self, source: object, total: int, what: str = "rows") -> None:
        self.source, self.total, self.what = str(source), total, what
        self._found: list[tuple[int, str, str]] = []

    def add(self, place: str, fault: str, at: int | None = None) -> None:
        """Note a faulty row: where it stands (`file:line`), what is wrong and how to mend it.

        at: the row's number, by which faults are sorted; by default they are named in the order in which they came.
        """
        self._found.append((len(self._found) if at is None else at, place, fault))

    def message(self) -> str:
        """Return the first fault; of several also how many there are, and the next ones."""
        found = [(place, fault) for _, place, fault in sorted(self._found, key=lambda one: one[0])]
        place, fault = found[0]
        if len(found) == 1:
            return f"{place}: {fault}"
        shown = [self._shown(*one, fault) for one in found[1 : self.SHOWN]]
        more = ", ..." if len(found) > self.SHOWN else ""
        count = f"{len(found)} of {self.total} {self.what} are faulty"
        return f"{place}: {fault} ({count}; also {', '.join(shown)}{more})"

    def refuse(self) -> None:
        """Raise `UserError` if there are faulty rows."""
        if self._found:
            raise UserError(self.message())

    def _shown(self, place: str, fault: str, first: str) -> str:
        where = place[len(self.source) :].lstrip(": ") if place.startswith(self.source) else place
        where = f"line {where}" if where.isdecimal() else where
        return where if fault == first else f"{where}: {fault.partition(';')[0]}"


def run_step(main: Callable[[], None]) -> None:
    """Run a step's `main`: log to stderr, turn a `UserError` or a full disk into one line and exit status 1."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S")
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.ENOENT):
            raise
        remedy = {
            errno.ENOSPC: "free some disk space and run again: what is finished stays",
            errno.EDQUOT: "your disk quota is used up: free some space and run again",
            errno.EROFS: "the file system is read-only: choose another folder",
            errno.EACCES: "check the permissions",
            errno.ENOENT: "check the path",
        }[error.errno]
        sys.exit(f"error: {error.filename or 'output'}: {error.strerror}; {remedy}")
