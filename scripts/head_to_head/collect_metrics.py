"""Bring everything measured for the head-to-head into the one long schema: results, what was chosen, operations.

Seconds are no metrics: `scripts.head_to_head.collect_times` gathers them.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.artifacts import Collection
from scripts.common.errors import UserError, run_step
from scripts.common.files import read_csv, read_jsonl
from scripts.common.metrics import read_metrics
from scripts.common.settings import parse_settings
from scripts.data.schemas import read_examples
from scripts.head_to_head.columns import CONTEXT_COLUMNS, OPERATION_COLUMNS, PROMPT_COLUMNS
from scripts.head_to_head.comparison import (
    CHOOSING,
    LEVELS,
    TRAINING,
    Comparison,
    Demonstrations,
    Selection,
    setting_of,
    vectors_of,
)
from scripts.selection.methods import NOTHING, way_of

SELECTION = "table_selection"
DEMONSTRATIONS = "table_demonstrations"
ANSWERS = "answers"
NO_TRUTH = "it is not known which examples of this pool are good: only a synthetic pool has a truth file"


def collect_results(out: Collection, selection: Selection, scores: Sequence[Mapping[str, str]]) -> None:
    """Add what the model has learnt from each subset. Raises `UserError` where a subset was not learnt from."""
    for method in (*LEVELS, *selection.methods):
        for percent in selection.sizes(method):
            asked = (f"{selection.pair}/{selection.learning}/{setting_of(percent)}", method)
            rows = [row for row in scores if (row["setting"], row["method"]) == asked and row["value"]]
            rows = [row for row in rows if method == "initial" or int(row["seed"]) in selection.seeds]
            if not rows:
                raise UserError(
                    f"--scores: no answers of {method}, {percent} %, {selection.learning}; give their scores"
                )
            for row in rows:
                value, n = float(row["value"]), int(row["n"])
                out.add(SELECTION, setting_of(percent), method, int(row["seed"]), row["metric"], value, n)


def collect_choices(
    out: Collection, selection: Selection, folders: Mapping[str, str], good: Mapping[str, bool] | None
) -> None:
    """Add how many rows each subset has, and how many of them are right where that is known."""
    for method in selection.methods:
        for percent in selection.percents:
            for seed in selection.seeds:
                path = Path(folders[method]) / setting_of(percent) / f"seed_{seed}.jsonl"
                ids = [row["id"] for row in read_jsonl(path)]
                out.add(SELECTION, setting_of(percent), method, seed, "n_examples", len(ids), len(ids))
                if good is not None and ids:
                    share = sum(good[row] for row in ids) / len(ids)
                    out.add(SELECTION, setting_of(percent), method, seed, "share_good", share, len(ids))
            if good is None:
                out.note(SELECTION, setting_of(percent), method, NO_TRUTH)


def collect_operations(out: Collection, selection: Selection, counted: Mapping[str, int]) -> None:
    """Add the operations of choosing, 0 where no model is asked, and those of one training run on a subset."""
    for method in selection.methods:
        cost = way_of(selection.by[method]).cost
        out.add(SELECTION, CHOOSING, method, 0, "flops", 0 if cost == NOTHING else counted[cost], 1)
    out.add(SELECTION, TRAINING, "finetune", 0, "flops", counted["finetune"], 1)


def collect_answers(
    out: Collection,
    shown: Demonstrations,
    prompted: Sequence[Mapping[str, str]],
    retrieved: Sequence[Mapping[str, str]],
) -> None:
    """Add the accuracy of every method and set, and the tokens that stand before a question."""
    for row in prompted:
        method = row["task"] if row["method"] == "prompt" else vectors_of(row["task"])
        if row["metric"] == "accuracy":
            seed, n = int(row["seed"]), int(row["n"])
            out.add(DEMONSTRATIONS, ANSWERS, method, seed, "accuracy", float(row["value"]), n)
            if row["method"] == "prompt":
                out.add(DEMONSTRATIONS, ANSWERS, method, seed, "tokens_before", float(row["prefix_tokens"]), n)
            else:
                out.add(DEMONSTRATIONS, ANSWERS, method, seed, "tokens_before", float(row["n_vectors"]), n)
    for row in retrieved:
        if row["method"] in shown.methods:
            n = int(row["n"])
            out.add(DEMONSTRATIONS, ANSWERS, row["method"], 0, "accuracy", float(row["accuracy"]), n)
            out.add(DEMONSTRATIONS, ANSWERS, row["method"], 0, "tokens_before", float(row["prefix_tokens"]), n)


def collect_demonstrations(out: Collection, shown: Demonstrations, args: argparse.Namespace) -> None:
    """Add everything about the half on demonstrations, or why it was not run."""
    if shown.not_run:
        for artifact in (DEMONSTRATIONS, "figure_demonstrations"):
            out.note(artifact, "", "", f"not run: {shown.not_run}")
        return
    out.model = shown.model
    collect_answers(out, shown, read_csv(args.prompted, PROMPT_COLUMNS), read_csv(args.retrieved, CONTEXT_COLUMNS))
    for row in read_csv(args.showing, OPERATION_COLUMNS):
        method, _, part = row["what"].partition("/")
        out.add(DEMONSTRATIONS, part, method, 0, "flops", int(row["flops"]), 1)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scores", help="CSV of the answers' measures, in the long schema")
    parser.add_argument("--subsets", nargs="*", default=[], help="folder of each method's subsets, named by it")
    parser.add_argument("--truth", help="known quality of the pool's rows")
    parser.add_argument("--operations", help="CSV of the operations of choosing: " + ", ".join(OPERATION_COLUMNS))
    parser.add_argument("--prompted", help="CSV of MEND's evaluation: sets in the prompt and as vectors")
    parser.add_argument("--retrieved", help="CSV of DDG's evaluation in context: nothing shown, retrieval")
    parser.add_argument("--showing", help="CSV of the operations of demonstrations: " + ", ".join(OPERATION_COLUMNS))
    parser.add_argument("--settings", required=True, help="JSON: what is compared")
    parser.add_argument("--metrics-out", required=True, help="CSV in the long schema")
    parser.add_argument("--notes-out", required=True, help="CSV: what is missing and why")
    return parser.parse_args(argv)


def collect_selection(out: Collection, selection: Selection, args: argparse.Namespace) -> None:
    """Add everything about the half on selection, or why it was not run."""
    if selection.not_run:
        for artifact in (SELECTION, "figure_selection", "table_time"):
            out.note(artifact, "", "", f"not run: {selection.not_run}")
        return
    out.model = selection.model
    good: dict[str, bool] | None = None
    if args.truth:
        good = {row["id"]: row["good"] for row in read_examples(args.truth, "pool_truth")}
    counted: dict[str, Any] = {row["what"]: int(row["flops"]) for row in read_csv(args.operations, OPERATION_COLUMNS)}
    collect_results(out, selection, read_metrics(args.scores))
    collect_choices(out, selection, {Path(folder).name: folder for folder in args.subsets}, good)
    collect_operations(out, selection, counted)


def main(argv: Sequence[str] | None = None) -> None:
    """Collect and write."""
    args = parse_args(argv)
    compared = parse_settings(Comparison, args.settings)
    out = Collection("head_to_head", "")
    collect_selection(out, compared.choices, args)
    collect_demonstrations(out, compared.shown, args)
    out.write(args.metrics_out, args.notes_out)


if __name__ == "__main__":
    run_step(main)
