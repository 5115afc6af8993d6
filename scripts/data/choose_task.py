"""Make one MetaICL task of the canonical rows of a registered data set: all its labels or some, then the k-shot files.

A task's entry in config/metaicl.yaml names the data set, the labels that the task tells apart and how many rows of each
are kept. Files are drawn as `scripts.data.rebuild_task` draws them. For data of one's own or of the registry; MetaICL's
own tasks are rebuilt.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError, did_you_mean, run_step
from scripts.common.settings import parse_json
from scripts.data.schemas import read_examples
from scripts.data.task_draws import task_parser, write_task
from scripts.data.task_rows import SHUFFLE_SEED
from scripts.data.task_templates import cut_splits, shuffle

LOG = logging.getLogger(__name__)
Example = dict[str, Any]


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = task_parser(__doc__)
    parser.add_argument("--train", required=True, type=Path, help="canonical rows to draw from, JSON lines")
    parser.add_argument("--test", required=True, type=Path, help="canonical rows to test on; may be the same file")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Choose the rows and write the task's files."""
    args = parse_args(argv)
    spec, draws = parse_json("--row", args.row, dict), parse_json("--draws", args.draws, dict)
    found = {path: read_examples(path, "classification") for path in (args.train, args.test)}
    train, test = cut_splits(spec, found[args.train], found[args.test])
    labels = chosen_labels(args.task, spec, [*train, *test])
    train, test = (rows_of(args.task, labels, rows) for rows in (train, test))
    per_label = spec.get("per_label")
    if per_label is not None and (not isinstance(per_label, int) or per_label < 1):
        raise UserError(
            f"config/metaicl.yaml: tasks.{args.task}.per_label: is {per_label!r}; give a number from 1 on, or none"
        )
    train = at_most(train, per_label)
    write_task(args.task_out, args.task, train, test, draws, per_label=args.sampling == "per_label")


def chosen_labels(task: str, spec: Mapping[str, Any], rows: Sequence[Example]) -> list[str]:
    """Return the labels that a task tells apart. Raises `UserError` for one that the data set does not have."""
    known = sorted({row["output"] for row in rows})
    labels = spec.get("labels") or known
    for label in labels:
        if label not in known:
            raise UserError(
                f"config/metaicl.yaml: tasks.{task}.labels: no row of '{spec['dataset']}' has the label "
                f"'{label}'{did_you_mean(label, known)}; correct it"
            )
    return list(labels)


def rows_of(task: str, labels: Sequence[str], rows: Sequence[Example]) -> list[Example]:
    """Return the rows with one of the labels as rows of the task; underscores in labels become blanks."""
    words = {label: label.replace("_", " ") for label in labels}
    options = list(words.values())
    return [
        {"task": task, "input": row["input"].strip(), "output": words[row["output"]], "options": options}
        for row in rows
        if row["output"] in words
    ]


def at_most(rows: Sequence[Example], per_label: int | None) -> list[Example]:
    """Return at most so many rows of each label, drawn with MetaICL's seed; all of them, as they stand, for None."""
    if per_label is None:
        return list(rows)
    order = list(rows)
    shuffle(order, SHUFFLE_SEED)
    kept: list[Example] = []
    counts: dict[str, int] = {}
    for row in order:
        counts[row["output"]] = counts.get(row["output"], 0) + 1
        if counts[row["output"]] <= per_label:
            kept.append(row)
    return kept


if __name__ == "__main__":
    run_step(main)
