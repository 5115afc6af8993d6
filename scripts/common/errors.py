"""Errors that a user can mend, and how a step ends on them.

A step raises `UserError` with one line that names the file or key and the remedy. `run_step` prints that line and exits
with 1; any other exception is a defect of ours and keeps its traceback.
"""

from __future__ import annotations

import errno
import logging
import sys
from typing import Callable, Sequence


class UserError(Exception):
    """A fault in what the user gave: names the file or key and says what to do about it, in one line."""


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Return " (did you mean 'x'?)" for the closest of `known`, or an empty string."""
    import difflib

    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean '{close[0]}'?)" if close else ""


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
