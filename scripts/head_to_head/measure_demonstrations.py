"""Write what each way to show demonstrations reaches and costs: accuracy, tokens before a question, operations."""

from __future__ import annotations

import argparse
from typing import Any, Mapping, Sequence

from scripts.common.errors import run_step
from scripts.common.files import read_csv
from scripts.common.metrics import metric_row, write_metrics
from scripts.head_to_head.columns import CONTEXT_COLUMNS, OPERATION_COLUMNS, PROMPT_COLUMNS
from scripts.head_to_head.comparison import ANSWERING, PAPER, SHOWING, vectors_of

Rows = Sequence[Mapping[str, str]]


def answer_rows(prompted: Rows, retrieved: Rows, methods: Sequence[str], model: str) -> list[dict[str, Any]]:
    """Return the accuracy of every method and set, and the tokens that stand before a question.

    prompted: of MEND's evaluation, texts in the prompt and as vectors; retrieved: of DDG's, of which the
    methods are kept.
    """
    rows = []

    def add(method: str, seed: int, accuracy: str, before: str, n: str) -> None:
        about = (PAPER, SHOWING, ANSWERING, model, method, seed)
        rows.append(metric_row(*about, "accuracy", float(accuracy), int(n)))
        rows.append(metric_row(*about, "tokens_before", float(before), int(n)))

    for row in prompted:
        if row["metric"] == "accuracy":
            as_text = row["method"] == "prompt"
            method = row["task"] if as_text else vectors_of(row["task"])
            before = row["prefix_tokens"] if as_text else row["n_vectors"]
            add(method, int(row["seed"]), row["value"], before, row["n"])
    for row in retrieved:
        if row["method"] in methods:
            add(row["method"], 0, row["accuracy"], row["prefix_tokens"], row["n"])
    return rows


def cost_rows(counted: Rows, model: str) -> list[dict[str, Any]]:
    """Return the operations of training, preparing and asking. counted: METHOD/PART in the column `what`."""
    rows = []
    for row in counted:
        method, _, part = row["what"].partition("/")
        rows.append(metric_row(PAPER, SHOWING, part, model, method, 0, "flops", int(row["flops"]), 1))
    return rows


def main(argv: Sequence[str] | None = None) -> None:
    """Read the evaluations and the counts and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompted", required=True, help="CSV of MEND's evaluation: sets in the prompt, as vectors")
    parser.add_argument("--retrieved", required=True, help="CSV of DDG's evaluation: nothing shown, retrieval")
    parser.add_argument("--operations", required=True, help="CSV of count_demonstrations")
    parser.add_argument("--methods", required=True, nargs="+", help="those of --retrieved that are compared")
    parser.add_argument("--model-name", required=True, help="name of the model that is asked")
    parser.add_argument("--measured-out", required=True, help="CSV in the long schema")
    args = parser.parse_args(argv)
    evaluated = (read_csv(args.prompted, PROMPT_COLUMNS), read_csv(args.retrieved, CONTEXT_COLUMNS))
    rows = answer_rows(*evaluated, args.methods, args.model_name)
    rows += cost_rows(read_csv(args.operations, OPERATION_COLUMNS), args.model_name)
    write_metrics(args.measured_out, rows)


if __name__ == "__main__":
    run_step(main)
