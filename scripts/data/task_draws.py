"""The files of a MetaICL task: demonstrations and meta-training rows drawn for each seed, and the test rows.

Standard library and NumPy only: this runs in the preprocessing environment too.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any, Iterator, Mapping, Sequence

from scripts.common.errors import UserError
from scripts.common.files import whole_folder
from scripts.data.schemas import write_examples
from scripts.data.task_templates import shuffle

LOG = logging.getLogger(__name__)

Example = dict[str, Any]
Draws = Mapping[str, Mapping[str, Any]]
"""{"meta_train" | "meta_test": {"k": k, "seeds": [...]}}."""


def task_parser(about: str | None) -> argparse.ArgumentParser:
    """Return the flags of every step that makes a task's files. about: the step's docstring."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", required=True, help="name, as in config/metaicl.yaml")
    parser.add_argument("--row", required=True, help="JSON: the task's entry in config/metaicl.yaml")
    parser.add_argument("--draws", required=True, help='JSON: {"meta_train" | "meta_test": {"k", "seeds"}}')
    parser.add_argument("--sampling", required=True, choices=("total", "per_label"))
    parser.add_argument("--task-out", required=True, type=Path, help="folder for the task's files")
    return parser


def write_task(
    folder: Path, task: str, train: Sequence[Example], test: Sequence[Example], draws: Draws, *, per_label: bool
) -> None:
    """Write the files of a task; the folder appears when all are written. Raises `UserError` where rows are missing."""
    for split, rows in (("train", train), ("test", test)):
        if not rows:
            raise UserError(f"task '{task}': no {split} rows are left; check the upstream data")
    with whole_folder(folder) as place:
        for name, rows in drawn_files(task, train, draws, per_label):
            write_examples(place / f"{name}.jsonl", rows, "classification")
        write_examples(place / "test.jsonl", test, "classification")
    LOG.info("%s: %d rows to draw from, %d test rows", task, len(train), len(test))


def drawn_files(
    task: str, rows: Sequence[Example], draws: Draws, per_label: bool
) -> Iterator[tuple[str, list[Example]]]:
    """Yield (name, rows) of every k-shot file.

    A file of meta-training takes what there is; one with demonstrations of fewer than k rows is a `UserError`.
    """
    for role, draw in draws.items():
        k = draw["k"]
        if role == "meta_test" and len(rows) < k:
            raise UserError(f"task '{task}': has {len(rows)} rows for {k} shots; add rows or lower mend.shots")
        for seed in draw["seeds"]:
            order = list(rows)
            shuffle(order, seed)
            groups: dict[str, list[Example]] = {}
            for row in order:
                groups.setdefault(row["output"] if per_label else "", []).append(row)
            yield f"{task}_{k}_{seed}_train", [row for group in groups.values() for row in group[:k]]
            dev = [row for group in groups.values() for row in group[k : 2 * k]]
            if dev:
                yield f"{task}_{k}_{seed}_dev", dev
