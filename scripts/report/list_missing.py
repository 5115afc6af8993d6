"""Write down what is not measured for a paper and why, as its plan has it."""

from __future__ import annotations

import argparse
import logging
from typing import Sequence

from scripts.common.errors import run_step
from scripts.common.metrics import reason_row, write_metrics
from scripts.common.settings import parse_json

logger = logging.getLogger(__name__)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--paper", required=True, help="whose values are missing")
    parser.add_argument(
        "--reasons",
        required=True,
        help="JSON: list of rows of the long schema without paper; what a row leaves out stands for all",
    )
    parser.add_argument("--measured-out", required=True, help="CSV in the long schema")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Write the reasons in the long schema."""
    args = parse_args(argv)
    rows = [reason_row(args.paper, **row) for row in parse_json("--reasons", args.reasons, list)]
    write_metrics(args.measured_out, rows)
    logger.info("%d reasons why something is missing", len(rows))


if __name__ == "__main__":
    run_step(main)
