"""Step prepare_tasks, run in the preprocessing environment (datasets 1.4.0), and its parts that need none."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from scripts.common.errors import UserError
from scripts.data import prepare_tasks
from scripts.data.schemas import read_examples

SEEDS = (100, 13, 21, 42, 87)
SHOTS = 4


@pytest.fixture(scope="session")
def old_python(repo_root, tmp_path_factory):
    """Interpreter of the preprocessing environment: THRIFT_PREPROCESS_PYTHON, .venvs/preprocess, or a fresh one if
    THRIFT_BUILD_ENVIRONMENTS is set; skips otherwise."""
    given = os.environ.get("THRIFT_PREPROCESS_PYTHON", repo_root / ".venvs/preprocess/bin/python")
    if Path(given).exists():
        return Path(given)
    if os.environ.get("THRIFT_BUILD_ENVIRONMENTS"):
        folder = tmp_path_factory.mktemp("venvs") / "preprocess"
        command = [sys.executable, "-m", "scripts.make_venv"]
        command += ["--environment", "envs/preprocess.yaml", "--venv-out", str(folder)]
        subprocess.run(command, cwd=repo_root, check=True, capture_output=True)
        return folder / "bin/python"
    pytest.skip(
        "no preprocessing environment: `snakemake .venvs/preprocess/bin/python` makes one, or set "
        "THRIFT_PREPROCESS_PYTHON to its interpreter or THRIFT_BUILD_ENVIRONMENTS=1 to build one here"
    )


@pytest.fixture(scope="module")
def raw_tasks(tmp_path_factory):
    """Three tasks: one with dev file, one free-form without, one of ready k-shot files with options."""
    root = tmp_path_factory.mktemp("raw")
    draw = random.Random(0)
    for task in ("mood", "free", "ready"):
        (root / task).mkdir()
    for split, n_rows in {"train": 60, "dev": 40, "test": 30}.items():
        labels = ["good", "bad", "so so"]
        lines = [f'a “fílm” of "{draw.randrange(999)}\t{labels[n % 3]}\n' for n in range(n_rows)]
        (root / f"mood/{split}.tsv").write_text("".join(lines))
        (root / f"ready/ready_4_13_{split}.tsv").write_text("".join(f"{n}\t{'ab'[n % 2]}\ta||b||c\n" for n in range(8)))
        if split != "dev":
            (root / f"free/{split}.tsv").write_text(
                "".join(f"question {n}\tanswer {split} {n}\n" for n in range(n_rows))
            )
    return root


def run(python, raw, out, tasks=("mood", "free", "ready"), sampling="per_label", home=None):
    command = [
        *(str(python), "-m", "scripts.data.prepare_tasks", "--tasks-raw", str(raw), "--tasks", *tasks),
        *("--free-form", "free", "--shots", str(SHOTS), "--seeds", *map(str, SEEDS)),
        *("--sampling", sampling, "--examples-out", str(out)),
    ]
    environment = {**os.environ, "HOME": str(home or out)}
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def prepared(old_python, raw_tasks, tmp_path_factory):
    out, home = tmp_path_factory.mktemp("out"), tmp_path_factory.mktemp("home")
    done = run(old_python, raw_tasks, out, home=home)
    assert done.returncode == 0, done.stderr
    assert list(home.iterdir()) == [], "nothing may be written to the user's caches"
    return out


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_every_file_is_canonical(prepared):
    names = {
        f"{task}/{task}_{SHOTS}_{seed}_{split}.jsonl"
        for task in ("mood", "free")
        for seed in SEEDS
        for split in ("train", "dev")
    }
    names |= {f"mood/{split}.jsonl" for split in ("train", "dev", "test")} | {"free/train.jsonl", "free/test.jsonl"}
    names |= {f"ready/ready_4_13_{split}.jsonl" for split in ("train", "dev", "test")}
    assert set(contents(prepared)) == names
    for name in names:
        rows = read_examples(prepared / name, "classification")
        options = {"mood": ["bad", "good", "so so"], "free": [], "ready": ["a", "b", "c"]}[name.split("/")[0]]
        assert all(row["options"] == options for row in rows)


def test_full_split_keeps_rows_and_order(prepared, raw_tasks):
    rows = read_examples(prepared / "mood/train.jsonl", "classification")
    lines = (raw_tasks / "mood/train.tsv").read_text().splitlines()
    assert [f"{row['input']}\t{row['output']}" for row in rows] == lines


@pytest.mark.parametrize("seed", SEEDS)
def test_sampling_is_crossfits(prepared, raw_tasks, seed):
    lines = (raw_tasks / "mood/train.tsv").read_text().splitlines()
    np.random.seed(seed)
    np.random.shuffle(lines)
    by_label = {}
    for line in lines:
        by_label.setdefault(line.split("\t")[1], []).append(line)
    expected = [line for group in by_label.values() for line in group[:SHOTS]]
    rows = read_examples(prepared / f"mood/mood_{SHOTS}_{seed}_train.jsonl", "classification")
    assert [f"{row['input']}\t{row['output']}" for row in rows] == expected


def test_without_dev_file_the_dev_sample_follows_the_train_sample(prepared):
    for seed in SEEDS:
        train, dev = (
            {
                row["input"]
                for row in read_examples(prepared / f"free/free_{SHOTS}_{seed}_{split}.jsonl", "classification")
            }
            for split in ("train", "dev")
        )
        assert len(train) == len(dev) == SHOTS
        assert not train & dev


def test_same_bytes_again(prepared, old_python, raw_tasks, tmp_path):
    assert run(old_python, raw_tasks, tmp_path).returncode == 0
    assert contents(tmp_path) == contents(prepared)


def test_total_sampling_takes_k_of_all(old_python, raw_tasks, tmp_path):
    assert run(old_python, raw_tasks, tmp_path, ["mood"], "total").returncode == 0
    assert len(read_examples(tmp_path / f"mood/mood_{SHOTS}_13_train.jsonl", "classification")) == SHOTS


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"train.tsv": "a\tb\nno tab\n", "test.tsv": "a\tb\n"}, "train.tsv:2: expected input, tab, output"),
        ({"train.tsv": "a\tb\n", "test.tsv": "\n"}, "test.tsv: the file is empty"),
        ({"train.tsv": "a\tb\n", "test.tsv": "a\u2028a\tb\n"}, "a line separator other than the newline"),
        (
            {"train.tsv": "a\tb\n", "test.tsv": "a\tz\tb||c\n"},
            "test.tsv:1: answer 'z' is not one of the options (b, c)",
        ),
        ({"train.tsv": "a\tb\n", "test.tsv": "a\tb\tb||c\n"}, "train.tsv:1: has no options, but other lines"),
        ({"train.tsv": "a\tb\n", "test.tsv": "a\tb\n"}, "too few training rows for 4 shots of dev"),
    ],
)
def test_broken_task_files(old_python, tmp_path, files, told):
    for name, text in files.items():
        path = tmp_path / "raw/bad" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    done = run(old_python, tmp_path / "raw", tmp_path / "out", ["bad"], home=tmp_path)
    assert done.returncode == 1
    assert told in done.stderr.splitlines()[-1]


def test_missing_files_are_named(tmp_path):
    with pytest.raises(UserError, match=r"mood: holds neither train\.tsv nor mood_<k>_<seed>_<split>\.tsv"):
        prepare_tasks.task_files(tmp_path / "mood", "mood")
    (tmp_path / "mood").mkdir()
    (tmp_path / "mood/train.tsv").touch()
    with pytest.raises(UserError, match=r"mood: test\.tsv is missing"):
        prepare_tasks.task_files(tmp_path / "mood", "mood")


def test_another_environment_is_refused(raw_tasks, tmp_path):
    done = run(sys.executable, raw_tasks, tmp_path, home=tmp_path)
    assert done.returncode == 1
    assert "run this step in the environment of envs/preprocess.yaml" in done.stderr.splitlines()[-1]
    assert contents(tmp_path) == {}


def test_options_and_cells_of_a_line():
    row = prepare_tasks.parse_line(" a film \t good \tgood|| bad", "x:1")
    assert row == {"input": "a film", "output": "good", "options": ["good", "bad"]}
    assert json.dumps(prepare_tasks.parse_line("a\tb", "x:1")) == '{"input": "a", "output": "b", "options": []}'
