"""Step choose_task: rows of a registered data set become a MetaICL task of all its labels or some."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.common.errors import UserError
from scripts.common.files import write_jsonl
from scripts.data import choose_task
from scripts.data.schemas import read_examples

LABELS = ("card_arrival", "top_up", "pin", "other")
DRAWS = {"meta_train": {"k": 100, "seeds": [100]}, "meta_test": {"k": 4, "seeds": [13, 21]}}


def write_rows(path: Path, n: int) -> None:
    """Write `n` rows, the labels in turn; every text is another."""
    rows = [{"task": "d", "input": f" {path.stem} {i}\n", "output": LABELS[i % 4], "options": LABELS} for i in range(n)]
    write_jsonl(path, rows)


def choose(folder: Path, test: str = "test", **spec: Any) -> dict[str, list[dict[str, Any]]]:
    """Run the step in a folder; return the rows of each file by its name without what all names share."""
    for name, n in (("train", 80), ("test", 20)):
        write_rows(folder / f"{name}.jsonl", n)
    row = {"type": "classification", "dataset": "d", "splits": {"train": "train", "test": test}, **spec}
    choose_task.main(
        [
            "--task", "mine", "--row", json.dumps(row), "--train", str(folder / "train.jsonl"),
            "--test", str(folder / f"{test}.jsonl"), "--draws", json.dumps(DRAWS), "--sampling", "total",
            "--task-out", str(folder / "mine"),
        ]
    )  # fmt: skip
    files = sorted((folder / "mine").iterdir())
    return {path.stem.removeprefix("mine_"): read_examples(path, "classification") for path in files}


def test_a_group_of_labels_is_a_task_of_its_own(tmp_path: Path) -> None:
    files = choose(tmp_path, labels=["top_up", "card_arrival"])
    assert {name for name in files if "dev" not in name} == {"100_100_train", "4_13_train", "4_21_train", "test"}
    assert len(files["100_100_train"]) == 40
    assert len(files["test"]) == 10
    for row in (row for rows in files.values() for row in rows):
        assert row["options"] == ["top up", "card arrival"]
        assert row["output"] in row["options"]
        assert row["input"] == row["input"].strip()
        assert row["task"] == "mine"
    assert files["4_13_train"] != files["4_21_train"]
    assert all(row in files["100_100_train"] for row in files["4_13_train"])


def test_without_labels_all_that_occur_are_told_apart(tmp_path: Path) -> None:
    assert choose(tmp_path)["test"][0]["options"] == ["card arrival", "other", "pin", "top up"]


def test_so_many_rows_of_a_label_are_kept_to_draw_from(tmp_path: Path) -> None:
    files = choose(tmp_path, labels=["pin", "other"], per_label=3)
    assert sorted(row["output"] for row in files["100_100_train"]) == ["other"] * 3 + ["pin"] * 3
    assert len(files["test"]) == 10


def test_one_split_is_cut_in_two_without_a_row_in_both(tmp_path: Path) -> None:
    files = choose(tmp_path, test="train", cut={"kind": "split", "train": 0.5, "test": 0.5})
    train, test = ({row["input"] for row in files[name]} for name in ("100_100_train", "test"))
    assert len(train) == len(test) == 40
    assert not train & test


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"labels": ["top_up", "card_arival"]}, r"tasks\.mine\.labels: no row of 'd' .*did you mean 'card_arrival'"),
        ({"labels": ["pin", "other"], "per_label": 0}, r"tasks\.mine\.per_label: is 0; give a number from 1 on"),
        ({"labels": ["pin"], "per_label": 3}, "task 'mine': has 3 rows for 4 shots"),
    ],
)
def test_faults_are_named_in_one_line(tmp_path: Path, spec: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told) as caught:
        choose(tmp_path, **spec)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "mine").exists()
