"""Write down what is not measured for the head-to-head and why, as the plan has it."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Mapping, Sequence

from scripts.common.errors import run_step
from scripts.common.metrics import reason_row, write_metrics
from scripts.common.settings import parse_settings
from scripts.head_to_head.comparison import PAPER


@dataclasses.dataclass(frozen=True)
class Reasons:
    """reasons: rows of the long schema, without the paper; what a row leaves out stands for all."""

    reasons: Sequence[Mapping[str, str]]


def main(argv: Sequence[str] | None = None) -> None:
    """Write the reasons in the long schema."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="JSON: the fields of Reasons")
    parser.add_argument("--measured-out", required=True, help="CSV in the long schema")
    args = parser.parse_args(argv)
    reasons = parse_settings(Reasons, args.settings).reasons
    write_metrics(args.measured_out, [reason_row(PAPER, **row) for row in reasons])


if __name__ == "__main__":
    run_step(main)
