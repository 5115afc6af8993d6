"""Write down what cannot be measured for MEND and why, as its plan says."""

from __future__ import annotations

import argparse
import logging
from typing import Sequence

from scripts.common.errors import run_step
from scripts.common.metrics import reason_row, write_metrics
from scripts.common.settings import parse_json
from scripts.mend.experiments import PAPER

logger = logging.getLogger(__name__)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reasons", required=True, help="JSON: list of experiment, model, method and reason")
    parser.add_argument("--measured-out", required=True, help="measurement file, CSV")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Write the reasons."""
    args = parse_args(argv)
    rows = [
        reason_row(PAPER, row["experiment"], row["reason"], model=row["model"], method=row["method"])
        for row in parse_json("--reasons", args.reasons, list)
    ]
    write_metrics(args.measured_out, rows)
    logger.info("%d reasons why something is missing", len(rows))


if __name__ == "__main__":
    run_step(main)
