"""Bring measurement files together in one metrics CSV; rows that only say why a value is missing are left out."""

from __future__ import annotations

import argparse
import logging
from typing import Sequence

from scripts.common.errors import run_step
from scripts.common.measured import as_metrics, read_measured
from scripts.common.metrics import write_metrics

logger = logging.getLogger(__name__)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measured", nargs="*", required=True, help="measurement files, CSV")
    parser.add_argument("--metrics-out", required=True, help="CSV in the long schema")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read, merge, write."""
    args = parse_args(argv)
    rows = read_measured(args.measured)
    metrics = as_metrics(rows)
    write_metrics(args.metrics_out, metrics)
    logger.info("%d values; %d reasons why others are missing", len(metrics), len(rows) - len(metrics))


if __name__ == "__main__":
    run_step(main)
