"""The README's commands that choose from one's own data with DELIFT, run as they stand there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from scripts.common.files import read_json, read_jsonl
from tests.e2e.test_own_data import block
from tests.workspace import Workspace, environment

POOL = [
    {"instruction": "copy the words", "input": "one two three", "output": "one two three"},
    {"instruction": "copy the words", "input": "four five", "output": ""},
    {"instruction": "reverse the words", "input": "six seven eight", "output": "eight seven six"},
    {"instruction": "give the first word : nine ten", "output": "nine"},
]
TARGETS = [
    {"instruction": "copy the words", "input": "two three four", "output": "two three four"},
    {"instruction": "give the first word", "input": "five six seven", "output": "five"},
]


def test_the_commands_by_hand(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    (tmp_path / "my_pool.json").write_text(json.dumps(POOL), encoding="utf-8")
    (tmp_path / "my_targets.json").write_text(json.dumps(TARGETS), encoding="utf-8")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block("# delift-own-data")],
        cwd=workspace.folder,
        env={**environment(), "PATH": f"{Path(sys.executable).parent}:{environment()['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = read_jsonl(tmp_path / "delift_chosen" / "percent_50" / "seed_0.jsonl")
    (subset,) = read_json(tmp_path / "delift_chosen" / "selection.json")["subsets"]
    assert [row["id"] for row in rows] == subset["ids"]
    kernel = np.load(tmp_path / "kernel.npy")
    assert kernel.shape == (len(TARGETS), len(POOL))
    assert subset["n"] == 2
    assert rows[0]["id"] == str(kernel.sum(axis=0).argmax())
    assert rows[0]["output"]  # an empty answer helps nobody
