"""The other data steps of MEND: generated tasks, the authors' prepared rows, rows of many tasks in one file."""

from __future__ import annotations

import json

import pytest

from scripts.common.errors import UserError
from scripts.data import generate_meta_tasks, split_prepared_tasks
from scripts.data.schemas import read_examples
from scripts.mend import gather_rows

CORPUS = {
    "pool_size": 10,
    "good_share": 0.5,
    "duplicate_share": 0.0,
    "anchor_size": 5,
    "eval_size": 5,
    "baseline_care": 0.5,
    "mt_bench_size": 2,
    "task_train": 2,
    "task_dev": 2,
    "task_test": 4,
}


def generate(folder):
    settings = {"train_tasks": 5, "dev_tasks": 2, "rows_per_task": 8, "texts": 6}
    given = ["--corpus", json.dumps(CORPUS), "--settings", json.dumps(settings), "--seed", "0"]
    for name in ("train", "dev", "texts"):
        given += [f"--{name}-out", str(folder / f"{name}.jsonl")]
    generate_meta_tasks.main(given)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_generated_tasks(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert generate(tmp_path / "a") == generate(tmp_path / "b")
    train = read_examples(tmp_path / "a/train.jsonl", "classification")
    dev = read_examples(tmp_path / "a/dev.jsonl", "classification")
    assert (len(train), len(dev)) == (40, 16)
    assert not {row["task"] for row in train} & {row["task"] for row in dev}
    assert len(read_examples(tmp_path / "a/texts.jsonl", "text")) == 6


def prepared(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def row(task, seed, split, number=0, options=("a", "b")):
    options = list(options)
    return {"task": task, "input": f"x {number}", "output": "a", "options": options, "seed": seed, "split": split}


def split(folder, rows, draws):
    path = prepared(folder / "rows.jsonl", rows)
    given = ["--rows", str(path), "--draws", json.dumps(draws), "--tasks-out", str(folder / "tasks")]
    split_prepared_tasks.main(given)


def test_prepared_rows_become_the_files_of_each_task(tmp_path):
    rows = [row("sick", 13, "train", number) for number in range(3)] + [row("sick", 13, "test", 9, ("a", "b", "b"))]
    rows += [row("piqa", "100", "train", number) for number in range(5)]
    draws = {"sick": {"meta_test": {"k": 3, "seeds": [13]}}, "piqa": {"meta_train": {"k": 16384, "seeds": [100]}}}
    split(tmp_path, rows, draws)
    found = sorted(path.relative_to(tmp_path / "tasks").as_posix() for path in tmp_path.glob("tasks/*/*"))
    assert found == ["piqa/piqa_16384_100_train.jsonl", "sick/sick_3_13_test.jsonl", "sick/sick_3_13_train.jsonl"]
    (asked,) = read_examples(tmp_path / "tasks/sick/sick_3_13_test.jsonl", "classification")
    assert asked == {"task": "sick", "input": "x 9", "output": "a", "options": ["a", "b"]}


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([row("sick", 13, "test")], "no train rows of task 'sick', seed 13"),
        ([row("sick", 13, "train"), row("sick", 13, "test")], "1 rows of task 'sick', seed 13, for 3 shots"),
        ([{"task": "sick"}], r"rows\.jsonl:1: column 'seed' is missing"),
    ],
)
def test_prepared_rows_that_are_not_there(tmp_path, rows, told):
    with pytest.raises(UserError, match=told):
        split(tmp_path, rows, {"sick": {"meta_test": {"k": 3, "seeds": [13]}}})


def test_rows_of_many_tasks_in_one_file(tmp_path):
    for task, n_dev in (("sick", 50), ("piqa", 0)):
        (tmp_path / task).mkdir()
        rows = [{**row(task, 1, "x", number)} for number in range(60)]
        rows = [{name: one[name] for name in ("task", "input", "output", "options")} for one in rows]
        prepared(tmp_path / f"{task}/{task}_64_100_train.jsonl", rows)
        if n_dev:
            prepared(tmp_path / f"{task}/{task}_64_100_dev.jsonl", rows[:n_dev])
    given = ["--tasks", str(tmp_path), "--names", "sick", "piqa", "--shots", "64", "--seed", "100", "--dev-rows", "45"]
    gather_rows.main([*given, "--train-out", str(tmp_path / "train.jsonl"), "--dev-out", str(tmp_path / "dev.jsonl")])
    train = read_examples(tmp_path / "train.jsonl", "classification")
    dev = read_examples(tmp_path / "dev.jsonl", "classification")
    assert [one["task"] for one in train] == ["sick"] * 60 + ["piqa"] * 60
    assert [one["task"] for one in dev] == ["sick"] * 45 + ["piqa"] * 45
    assert dev[-1]["input"] == "x 59", "a task without rows to spare gives its last ones"


def test_a_missing_task_is_named(tmp_path):
    given = ["--tasks", str(tmp_path), "--names", "sick", "--shots", "64", "--seed", "100", "--dev-rows", "40"]
    with pytest.raises(UserError, match=r"sick_64_100_train\.jsonl: no such file"):
        gather_rows.main([*given, "--train-out", str(tmp_path / "t.jsonl"), "--dev-out", str(tmp_path / "d.jsonl")])
