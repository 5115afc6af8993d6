"""Write how often a few-shot teacher is right on a data set, and how many of its answers can be read (section 3.1)."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import read_json
from scripts.common.metrics import ALL_SEEDS, metric_row, write_metrics
from scripts.step_by_step.plan import ACCURACY, FEW_SHOT, PAPER, SPLITS, TEACHERS


def teacher_rows(dataset: str, teacher: str, split: str, report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what was measured of a teacher's answers to one split, in percent of its rows or as counts."""
    answers = report["answers"]
    values = {
        ACCURACY: 100 * answers["accuracy"],
        "parse_rate_percent": 100 * answers["parse_rate"],
        "n_blank_labels": answers["n_blank_labels"],
    }
    return [
        metric_row(PAPER, TEACHERS, f"{dataset}_{split}", teacher, FEW_SHOT, ALL_SEEDS, metric, value, report["n_rows"])
        for metric, value in values.items()
    ]


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--teacher", required=True)
    parser.add_argument("--splits", nargs="*", choices=SPLITS, required=True, help="splits whose reports are given")
    parser.add_argument("--reports", nargs="*", type=Path, required=True, help="JSON reports of prepare_examples")
    parser.add_argument("--measured-out", required=True, help="measurement file, CSV")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read the reports and write."""
    args = parse_args(argv)
    if len(args.splits) != len(args.reports):
        raise UserError(f"--reports: {len(args.reports)} files for {len(args.splits)} splits; give one for each")
    rows = [
        row
        for split, path in zip(args.splits, args.reports)
        for row in teacher_rows(args.dataset, args.teacher, split, read_json(path))
    ]
    write_metrics(args.measured_out, rows)


if __name__ == "__main__":
    run_step(main)
