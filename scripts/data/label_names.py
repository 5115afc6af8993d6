"""The names of the classes of distilled sets, kept beside them (`labels.json`).

A set has class numbers only, and another file's classes may be called otherwise: who reads a set with the names of
other rows checks that they are the same.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Sequence

from scripts.common.errors import UserError
from scripts.common.files import PathLike, read_json, write_json
from scripts.data.labels import shown

LOG = logging.getLogger(__name__)

LABEL_FILE = "labels.json"


def write_label_names(folder: PathLike, names: Sequence[str]) -> None:
    """Write the names of the classes 0, 1, ... of a folder of sets."""
    write_json(Path(folder) / LABEL_FILE, list(names))


def read_label_names(folder: PathLike) -> tuple[str, ...] | None:
    """Return the names of the classes of a folder of sets, None where it does not have them (sets of one's own)."""
    path = Path(folder) / LABEL_FILE
    if not path.is_file():
        return None
    names = read_json(path)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f"{path}: expected a JSON list of class names; make the sets again")
    return tuple(names)


def check_label_names(folder: PathLike, names: Sequence[str], source: PathLike) -> None:
    """Raise `UserError` if a folder's sets are of other classes than the rows of `source`, or of another order."""
    own = read_label_names(folder)
    if own is None:
        LOG.warning("%s: does not say what its classes are called; taken to be those of %s", folder, source)
    elif own != tuple(names):
        raise UserError(
            f"{folder}: its labels ({shown(own)}) are not those of {source} ({shown(names)}); list them under 'labels' "
            "of the data set in the registry and prepare all splits again"
        )
