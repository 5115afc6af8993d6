"""The seconds of the jobs behind what docs/<tier>/measured keeps: docs/<tier>/jobs.csv."""

from __future__ import annotations

from typing import Mapping, Sequence

TIME_COLUMNS = ("job", "artifacts", "seconds", "processor", "day")
"""job: its benchmark file's name; artifacts: the tables and figures behind which it stands, spaces between them."""


def minutes_of(rows: Sequence[Mapping[str, str]], names: Sequence[str]) -> float:
    """Return the minutes of all jobs behind any of these tables and figures, each job once."""
    wanted = set(names)
    return sum(float(row["seconds"]) for row in rows if wanted & set(row["artifacts"].split())) / 60


def machines_of(rows: Sequence[Mapping[str, str]], names: Sequence[str]) -> str:
    """Return the processors on which these tables and figures were measured, each with its first and last day."""
    wanted = set(names)
    days: dict[str, list[str]] = {}
    for row in rows:
        if wanted & set(row["artifacts"].split()):
            days.setdefault(row["processor"], []).append(row["day"])
    told = []
    for processor, all_days in sorted(days.items()):
        first, last = min(all_days), max(all_days)
        told.append(f"{processor}, {first}" + (f" to {last}" if last != first else ""))
    return "; ".join(told)
