"""Measure how long the answers of instruction data are."""

from __future__ import annotations

import argparse
from typing import Sequence

from scripts.common.errors import run_step
from scripts.common.metrics import metric_row, write_metrics
from scripts.data.schemas import read_examples


def main(argv: Sequence[str] | None = None) -> None:
    """Read one dataset and write the mean length of its answers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", required=True)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--unit", required=True, choices=["words", "characters"])
    parser.add_argument("--measured-out", required=True)
    args = parser.parse_args(argv)
    answers = [row["output"] for row in read_examples(args.examples, "instruction")]
    lengths = [len(text.split() if args.unit == "words" else text) for text in answers]
    mean = sum(lengths) / len(lengths)
    row = metric_row("lengths", "answers", args.dataset, "none", "answers", 0, "length", mean, len(lengths))
    write_metrics(args.measured_out, [row])


if __name__ == "__main__":
    run_step(main)
