"""DDG's sets as MEND's task files: every set a seed, the right labels, one clear line for what does not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_jsonl, write_jsonl
from scripts.head_to_head.prepare_demonstrations import main

OPTIONS = ["jade", "ruby"]
TEST = [{"task": "t", "input": "a question", "output": "ruby", "options": OPTIONS}]


def prepare(folder: Path, **changes: Any) -> Path:
    settings = {"task": "t", "column": "text", "dpc": 2, "n": 4, "seeds": [5, 7], "draws": 2, **changes}
    write_jsonl(folder / "test.jsonl", TEST)
    for seed in (5, 7):
        for draw in (0, 1):
            rows = [{"labels": place % 2, "text": f"{seed} {draw} {place}"} for place in range(4)]
            write_jsonl(folder / "ddg" / f"seed_{seed}" / "dpc_2" / f"draw_{draw}.jsonl", rows)
    out = folder / "tasks"
    main(
        ["--sets", str(folder / "ddg"), "--test", str(folder / "test.jsonl"), "--settings", json.dumps(settings)]
        + ["--tasks-out", str(out)]
    )
    return out / "ddg"


def test_every_set_is_a_seed_of_the_task(tmp_path: Path) -> None:
    task = prepare(tmp_path)
    assert sorted(path.name for path in task.iterdir()) == [*(f"ddg_4_{n}_train.jsonl" for n in range(4)), "test.jsonl"]
    rows = read_jsonl(task / "ddg_4_3_train.jsonl")
    assert rows[1] == {"task": "t", "input": "7 1 1", "output": "ruby", "options": OPTIONS}
    assert read_jsonl(task / "test.jsonl") == TEST


def test_another_number_of_texts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="set 0 of ddg has 4 texts, not 6; correct .*n_demonstrations"):
        prepare(tmp_path, n=6)


def test_a_label_or_column_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="draw_0.jsonl:1: expected 'labels' below 2 and a text 'sentence'"):
        prepare(tmp_path, column="sentence")
