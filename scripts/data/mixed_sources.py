"""What a mixed pool is called in the registry of data sets, and what it is made of (`scripts.data.mixing` makes it)."""

from __future__ import annotations

from typing import Any, Mapping

DATASETS = ("mixed_pool", "mixed_pool_truth")
"""Rows of the registry of data sets that are written here."""
PARTS = ("train", "query", "validation", "test")
"""Their splits: the pool, and three of the goal's source."""


def sources_of(mixed: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (data set, split) of all that is mixed, in their order. mixed: the config's `mixed_pool`."""
    return [(part["dataset"], split) for part in mixed["parts"] for split in part["splits"]]


def with_sources(files: set[tuple[str, str]], mixed: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Return (data set, split) of what is read, and where a mixed pool is among it, of its sources."""
    return {*files, *sources_of(mixed)} if any(name in DATASETS for name, _ in files) else set(files)


def mixed_absences(absent: Mapping[str, str], mixed: Mapping[str, Any]) -> dict[str, str]:
    """Return {<dataset>/<split>: why it cannot be had} of the mixed pool, which needs all of its sources.

    absent: the same of the registered files.
    """
    gone = next(filter(None, (absent.get(f"{name}/{split}") for name, split in sources_of(mixed))), "")
    return {f"{name}/{part}": gone for name in DATASETS for part in PARTS} if gone else {}
