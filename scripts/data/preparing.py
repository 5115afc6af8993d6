"""How raw files become canonical examples: the settings of the step, and the sub-sample that is kept."""

from __future__ import annotations

import dataclasses
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError
from scripts.common.seeding import generator


@dataclasses.dataclass(frozen=True)
class PrepareSettings:
    """How the file is read (a row of config/datasets.yaml) and how many examples are kept (`limit`; None keeps all)."""

    reader: str
    schema: str
    columns: Mapping[str, str]
    labels: Sequence[str] | None
    header: Sequence[str] | None
    task: str | None
    limit: int | None
    seed: int
    delimiter: str | None = None
    quoting: str | None = None
    turns: str | None = None


def sample(rows: Sequence[dict[str, Any]], limit: int | None, seed: int) -> list[dict[str, Any]]:
    """Return `limit` rows drawn without replacement, in the file's order; all rows if there are no more than that.

    Raises `UserError` for a limit below 1.
    """
    if limit is not None and limit < 1:
        raise UserError(f"limit: is {limit}; give a number from 1 on, or null for all rows")
    if limit is None or limit >= len(rows):
        return list(rows)
    chosen = generator(seed, "sub-sample").permutation(len(rows))[:limit]
    return [rows[number] for number in sorted(chosen)]
