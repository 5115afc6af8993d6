"""The k-shot files of test tasks: which rows are demonstrations and which are asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scripts.common.errors import UserError
from scripts.common.files import PathLike
from scripts.common.seeding import generator
from scripts.data.schemas import read_examples


def shot_rows(root: PathLike, task: str, shots: int, seed: int) -> list[dict[str, Any]]:
    """Return the training rows of `{task}_{shots}_{seed}_train.jsonl`, in an order drawn from the seed.

    Files of k rows per label stand label by label; the order makes every beginning of them a mixture.
    """
    path = Path(root) / task / f"{task}_{shots}_{seed}_train.jsonl"
    rows = read_examples(path, "classification")
    order = generator(seed, "mend", "shots", task).permutation(len(rows))
    return [rows[int(index)] for index in order]


def demonstration_rows(root: PathLike, task: str, shots: int, seed: int, count: int) -> list[dict[str, Any]]:
    """Return the first `count` of `shot_rows`. Raises `UserError` if there are fewer."""
    rows = shot_rows(root, task, shots, seed)
    if len(rows) < count:
        raise UserError(
            f"task {task}, seed {seed}: {len(rows)} training examples, but {count} demonstrations are asked for;"
            " lower n_demonstrations or prepare the task with more shots"
        )
    return rows[:count]


def test_file(root: PathLike, task: str, shots: int, seed: int) -> Path:
    """Return the file of a task's test rows: the seed's own (CrossFit's ready k-shot files) or the common one."""
    own = Path(root) / task / f"{task}_{shots}_{seed}_test.jsonl"
    return own if own.is_file() else Path(root) / task / "test.jsonl"


def asked_rows(path: PathLike, count: int) -> list[dict[str, Any]]:
    """Return `count` of `test_rows`, on which numbers per query rely. Raises `UserError` if there are fewer."""
    rows = test_rows(path, count)
    if len(rows) < count:
        raise UserError(f"{path}: {len(rows)} rows, but n_queries is {count}; lower it or give more rows")
    return rows


def test_rows(path: PathLike, limit: int) -> list[dict[str, Any]]:
    """Return a test file's rows, the first `limit` of them in a fixed random order (all in file order if 0)."""
    rows = read_examples(path, "classification")
    if not limit or len(rows) <= limit:
        return rows
    order = generator(0, "mend", "test_rows").permutation(len(rows))
    return [rows[int(index)] for index in order[:limit]]
