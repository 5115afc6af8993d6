"""Split the MEND authors' prepared rows (task, input, output, options, seed, split) into the k-shot files of each task.

Their set holds what MetaICL's preprocessing makes: the meta-training rows, and for each test task and seed the
demonstrations (split train, or dev) and the test rows.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.checksums import check_beside
from scripts.common.errors import UserError, run_step
from scripts.common.settings import parse_json
from scripts.data.reader_base import value_of
from scripts.data.rows import Record, read_rows
from scripts.data.schemas import validate, write_examples

COLUMNS = ("task", "input", "output", "options")


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", required=True, nargs="+", type=Path, help="files of rows, in any form")
    parser.add_argument("--draws", required=True, help='JSON: {task: {"meta_train" | "meta_test": {"k", "seeds"}}}')
    parser.add_argument("--tasks-out", required=True, type=Path, help="folder, gets one folder per task")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Write the files of every task."""
    args = parse_args(argv)
    draws_of = parse_json("--draws", args.draws, dict)
    groups: dict[tuple[str, str, str], list[Record]] = {}
    for path in args.rows:
        check_beside(path)
        for record in read_rows(path):
            task, seed, split = (str(value_of(record, name)) for name in ("task", "seed", "split"))
            groups.setdefault((task, seed, split), []).append(record)
    for task, draws in draws_of.items():
        for name, rows in task_files(task, draws, groups).items():
            write_examples(args.tasks_out / task / f"{name}.jsonl", rows, "classification")


def task_files(
    task: str, draws: Mapping[str, Mapping[str, Any]], groups: Mapping[tuple[str, str, str], Sequence[Record]]
) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of every file of a task by its name. Raises `UserError` where the prepared rows lack one."""
    found = {}
    for role, draw in draws.items():
        for seed in map(str, draw["seeds"]):
            for split in ("train", "test") if role == "meta_test" else ("train",):
                records = groups.get((task, seed, split))
                if not records:
                    raise UserError(
                        f"--rows: no {split} rows of task '{task}', seed {seed}; give the files of every split, or "
                        "leave the task's setting out of mend.settings"
                    )
                if role == "meta_test" and split == "train" and len(records) < draw["k"]:
                    raise UserError(f"--rows: {len(records)} rows of task '{task}', seed {seed}, for {draw['k']} shots")
                rows = [{name: value_of(record, name) for name in COLUMNS} for record in records]
                rows = [{**row, "options": list(dict.fromkeys(row["options"] or []))} for row in rows]
                checked = validate(rows, "classification", task, [record.place for record in records])
                found[f"{task}_{draw['k']}_{seed}_{split}"] = checked
    return found


if __name__ == "__main__":
    run_step(main)
