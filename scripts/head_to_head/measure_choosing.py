"""Write what choosing costs each method, and one training on a subset, in operations: the counts in the long schema.

A method that asks no model costs nothing.
"""

from __future__ import annotations

import argparse
from typing import Any, Mapping, Sequence

from scripts.common.errors import run_step
from scripts.common.files import read_csv
from scripts.common.metrics import metric_row, write_metrics
from scripts.common.settings import parse_json
from scripts.head_to_head.columns import OPERATION_COLUMNS
from scripts.head_to_head.comparison import CHOOSING, PAPER, TRAINING
from scripts.selection.methods import NOTHING, way_of


def choosing_rows(counted: Mapping[str, int], by: Mapping[str, str], model: str) -> list[dict[str, Any]]:
    """Return a row for each method and one for a training. counted: operations by what costs; by: {method: its way}."""
    costs = {method: way_of(way, f"--methods: {method}").cost for method, way in by.items()}
    rows = [
        metric_row(PAPER, CHOOSING, CHOOSING, model, method, 0, "flops", 0 if cost == NOTHING else counted[cost], 1)
        for method, cost in costs.items()
    ]
    return [*rows, metric_row(PAPER, CHOOSING, TRAINING, model, "finetune", 0, "flops", counted["finetune"], 1)]


def main(argv: Sequence[str] | None = None) -> None:
    """Read the counts and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", required=True, help="CSV of count_selection: " + ", ".join(OPERATION_COLUMNS))
    parser.add_argument("--methods", required=True, help="JSON: {method: what it chooses by}")
    parser.add_argument("--model-name", required=True, help="name of the model that scores the pool")
    parser.add_argument("--measured-out", required=True, help="CSV in the long schema")
    args = parser.parse_args(argv)
    counted = {row["what"]: int(row["flops"]) for row in read_csv(args.operations, OPERATION_COLUMNS)}
    by = parse_json("--methods", args.methods, dict)
    write_metrics(args.measured_out, choosing_rows(counted, by, args.model_name))


if __name__ == "__main__":
    run_step(main)
