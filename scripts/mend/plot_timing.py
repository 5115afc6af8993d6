"""Draw measured seconds against the number of demonstrations. They vary from run to run, so they stand apart."""

from __future__ import annotations

from typing import Sequence

from scripts.common.errors import run_step
from scripts.mend.cost_figure import draw_figure


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    panels = (
        ("total_seconds", "All queries", "seconds for {n} queries", 1.0, "s"),
        ("query_seconds", "One query", "milliseconds", 1e-3, "ms"),
        ("prepare_seconds", "Preparing", "milliseconds", 1e-3, "ms"),
    )
    draw_figure(argv, __doc__, panels)


if __name__ == "__main__":
    run_step(main)
