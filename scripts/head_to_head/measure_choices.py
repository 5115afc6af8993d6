"""Measure the subsets that a command without measures of its own has chosen: their sizes, and the share of right rows.

The share is measured where it is known which rows of the pool are right.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.errors import run_step
from scripts.common.files import read_jsonl
from scripts.common.metrics import metric_row, reason_row, write_metrics
from scripts.data.schemas import read_examples
from scripts.head_to_head.comparison import CHOICES, PAPER

NO_TRUTH = "it is not known which examples of this pool are good: only a synthetic pool has a truth file"


def choice_rows(
    folder: Path, good: Mapping[str, bool] | None, pair: str, model: str, method: str
) -> list[dict[str, Any]]:
    """Return the rows of all subsets below a folder, percent_<n>/seed_<seed>.jsonl; good: {id: whether it is right}."""
    rows = []
    for sizes in sorted(path for path in folder.iterdir() if path.is_dir()):
        about = (PAPER, CHOICES, f"{pair}/{sizes.name}", model, method)
        for path in sorted(sizes.glob("seed_*.jsonl")):
            ids, seed = [row["id"] for row in read_jsonl(path)], path.stem.removeprefix("seed_")
            rows.append(metric_row(*about, seed, "n_examples", len(ids), len(ids)))
            if good is not None and ids:
                share = sum(good[row] for row in ids) / len(ids)
                rows.append(metric_row(*about, seed, "share_good", share, len(ids)))
        if good is None:
            told = {"setting": about[2], "model": model, "method": method, "metric": "share_good"}
            rows.append(reason_row(PAPER, CHOICES, NO_TRUTH, **told))
    return rows


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subsets", required=True, type=Path, help="folder: percent_<n>/seed_<seed>.jsonl")
    parser.add_argument("--truth", help="known quality of the pool's rows")
    parser.add_argument("--pair", required=True, help="name of the dataset pair")
    parser.add_argument("--model-name", required=True, help="name of the model for which is chosen")
    parser.add_argument("--name", required=True, help="the method's name")
    parser.add_argument("--measured-out", required=True, help="CSV in the long schema")
    args = parser.parse_args(argv)
    good = {row["id"]: row["good"] for row in read_examples(args.truth, "pool_truth")} if args.truth else None
    write_metrics(args.measured_out, choice_rows(args.subsets, good, args.pair, args.model_name, args.name))


if __name__ == "__main__":
    run_step(main)
