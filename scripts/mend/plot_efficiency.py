"""Draw counted operations and memory against the number of demonstrations (MEND, Figure 3; times are drawn apart)."""

from __future__ import annotations

from typing import Sequence

from scripts.common.errors import run_step
from scripts.mend.cost_figure import draw_figure


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    panels = (
        ("total_flops", "Operations", "GFLOP for {n} queries", 1e9, "GFLOP"),
        ("query_flops", "Operations of a query", "GFLOP", 1e9, "GFLOP"),
        ("query_peak_tensor_bytes", "Memory of a query", "MB at the peak", 1e6, "MB"),
    )
    draw_figure(argv, __doc__, panels)


if __name__ == "__main__":
    run_step(main)
