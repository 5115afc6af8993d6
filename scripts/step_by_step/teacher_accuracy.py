"""Accuracy of the teacher's own labels: the few-shot chain-of-thought line of figures 4 to 9 (no training)."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import write_json
from scripts.data.schemas import read_examples
from scripts.step_by_step.equations import METRICS, correct_rows


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--examples", required=True, type=Path, help="rows of schema distillation, usually the test split"
    )
    parser.add_argument("--metric", required=True, choices=METRICS)
    parser.add_argument("--metrics-out", required=True, type=Path)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read, compare, write."""
    args = parse_args(argv)
    rows = read_examples(args.examples, "distillation")
    if not any(row["llm_label"] for row in rows):
        raise UserError(f"{args.examples}: no row has a teacher's label; prepare the examples with a teacher")
    write_json(args.metrics_out, teacher_accuracy(rows, args.metric))


def teacher_accuracy(rows: Sequence[Mapping[str, Any]], metric: str) -> dict[str, Any]:
    """Return {accuracy, n, n_blank}: the share of right labels of the teacher, blank ones counted as wrong."""
    right = correct_rows(metric, [row["llm_label"] for row in rows], [row["label"] for row in rows])
    return {
        "accuracy": sum(right) / len(right),
        "n": len(right),
        "n_blank": sum(not row["llm_label"].strip() for row in rows),
    }


if __name__ == "__main__":
    run_step(main)
