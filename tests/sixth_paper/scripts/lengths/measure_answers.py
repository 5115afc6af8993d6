"""Measure how long the answers of instruction data are."""

from __future__ import annotations

import argparse
from typing import Sequence

from scripts.common.artifacts import Collection
from scripts.common.errors import run_step
from scripts.data.schemas import read_examples


def main(argv: Sequence[str] | None = None) -> None:
    """Read every dataset and write the mean length of its answers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", nargs="+", required=True)
    parser.add_argument("--datasets", nargs="+", required=True)
    parser.add_argument("--unit", required=True, choices=["words", "characters"])
    parser.add_argument("--metrics-out", required=True)
    parser.add_argument("--notes-out", required=True)
    args = parser.parse_args(argv)
    collection = Collection("lengths", "none")
    for dataset, path in zip(args.datasets, args.examples):
        answers = [row["output"] for row in read_examples(path, "instruction")]
        lengths = [len(text.split() if args.unit == "words" else text) for text in answers]
        mean = sum(lengths) / len(lengths)
        collection.add("table_1", dataset, "answers", 0, "length", mean, len(lengths))
    collection.write(args.metrics_out, args.notes_out)


if __name__ == "__main__":
    run_step(main)
