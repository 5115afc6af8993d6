"""How raw files become canonical examples: how they are read, and the sub-sample that is kept."""

from __future__ import annotations

from typing import Any, Sequence

from scripts.common.errors import UserError
from scripts.common.registry_settings import PrepareSettings
from scripts.common.seeding import generator
from scripts.data.registry import checked_reading


def reading_of(settings: PrepareSettings) -> dict[str, Any]:
    """Return the keywords of `scripts.data.readers.read_raw` that settings hold."""
    return {
        "columns": settings.columns,
        "delimiter": settings.delimiter,
        "task": settings.task or "",
        **checked_reading(settings.given(), "--settings"),
    }


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
