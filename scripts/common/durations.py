"""Durations in words."""

from __future__ import annotations


def in_words(seconds: float) -> str:
    """Return a duration in the unit that suits it: 40 s, 12 min, 3.4 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
