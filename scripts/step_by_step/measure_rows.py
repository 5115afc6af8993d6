"""Count the rows of a data set's splits, the validation rows held out of the training rows (paper, Table 3)."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import read_json
from scripts.common.metrics import ALL_SEEDS, metric_row, write_metrics
from scripts.step_by_step.plan import DATA_SETS, PAPER, SPLITS
from scripts.step_by_step.splits import hold_out_indices


def split_sizes(n_rows: Mapping[str, int], hold_out: bool) -> dict[str, int]:
    """Return the rows of train, valid and test, as far as `n_rows` (rows as prepared, by split) reaches.

    hold_out: the data set has no validation rows of its own, so a tenth of the training rows is held out.
    """
    sizes = dict(n_rows)
    if hold_out and "train" in n_rows:
        kept, held = hold_out_indices(n_rows["train"])
        sizes.update(train=len(kept), valid=len(held))
    return {split: sizes[split] for split in SPLITS if split in sizes}


def read_reports(splits: Sequence[str], paths: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """Return the reports of prepare_examples by split. Raises `UserError` unless there is one for each."""
    if len(splits) != len(paths):
        raise UserError(f"--reports: {len(paths)} files for {len(splits)} splits; give one for each, in order")
    return {split: read_json(path) for split, path in zip(splits, paths)}


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--splits", nargs="*", choices=SPLITS, required=True, help="splits whose reports are given")
    parser.add_argument("--reports", nargs="*", type=Path, required=True, help="JSON reports of prepare_examples")
    parser.add_argument("--hold-out", choices=("yes", "no"), required=True, help="yes: valid is held out of train")
    parser.add_argument("--measured-out", required=True, help="measurement file, CSV")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Count and write."""
    args = parse_args(argv)
    n_rows = {split: report["n_rows"] for split, report in read_reports(args.splits, args.reports).items()}
    write_metrics(
        args.measured_out,
        [
            metric_row(PAPER, DATA_SETS, args.dataset, "data", split, ALL_SEEDS, "n_examples", count, count)
            for split, count in split_sizes(n_rows, args.hold_out == "yes").items()
        ],
    )


if __name__ == "__main__":
    run_step(main)
