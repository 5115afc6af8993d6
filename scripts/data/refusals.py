"""Downloads that were refused for good: the note that stands beside their place says why."""

from __future__ import annotations

import os
from pathlib import Path

from scripts.common.files import PathLike, read_text

REFUSED = ".refused"
"""Ending of the note that a download leaves beside the place of a file or model that was refused for good."""


def refusal(path: PathLike) -> str:
    """Return what the note beside a path says of its refusal; an empty text if there is none."""
    note = Path(f"{os.fspath(path)}{REFUSED}")
    return read_text(note).strip() if note.is_file() else ""
