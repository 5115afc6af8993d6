"""Which numbers came out differently on another processor: sentences kept by hand, shown with the tables and figures.

Rounding differs between processors; through ties and early training it moves whole points of small models.
"""

from __future__ import annotations

import dataclasses
from typing import Sequence

from scripts.common.errors import UserError
from scripts.common.files import PathLike
from scripts.common.settings import settings_of
from scripts.common.yaml_files import read_yaml


@dataclasses.dataclass(frozen=True)
class Move:
    """paper, artifacts: where the numbers stand; seen: what differed, one sentence."""

    paper: str
    artifacts: list[str]
    seen: str


def read_moves(path: PathLike) -> list[Move]:
    """Return the moves of config/published/moves.yaml. Raises `UserError` naming entry and key."""
    rows = read_yaml(path)
    if not isinstance(rows, list):
        raise UserError(f"{path}: expected a list, found {type(rows).__name__}")
    return [settings_of(Move, row, f"{path}: entry {number}") for number, row in enumerate(rows)]


def moves_of(moves: Sequence[Move], paper: str, artifact: str) -> list[str]:
    """Return what was seen of a table or figure."""
    return [move.seen for move in moves if move.paper == paper and artifact in move.artifacts]
