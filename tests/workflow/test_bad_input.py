"""Bad input through the whole workflow: one clear line that names file or key, a failed run, no half-written file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.workspace import Workspace

GOOD = {"instruction": "copy the words", "input": "one two three", "output": "one two three"}
ANCHOR = {"instruction": "copy the words", "input": "four five", "output": "four five"}
DATASETS = """
my_pool: {schema: instruction, reader: alpaca_json, origin: local, splits: {train: {file: my_pool.json}}}
my_anchors: {schema: instruction, reader: alpaca_json, origin: local, splits: {train: {file: my_anchors.json}}}
"""
MINE = """
tier: bad
registries: {datasets: [my_datasets.yaml]}
nuggets: {dataset: my_pool, pool_size: 2, anchor_dataset: my_anchors, anchors: given}
"""
LONG = {**ANCHOR, "input": "one two " * 1200}

FILES = [
    pytest.param(
        '[\n{"instruction": "copy", "output": "a"},\n{"instruction": "copy" "output": "b"}\n]',
        [ANCHOR],
        "my_pool.json:3: broken JSON",
        id="broken JSON line",
    ),
    pytest.param([GOOD, {"instruction": "copy"}], [ANCHOR], "output", id="missing output"),
    pytest.param([], [ANCHOR], "my_pool.json", id="empty pool"),
    pytest.param([GOOD, GOOD], [], "my_anchors.json", id="empty anchors"),
    pytest.param([{**GOOD, "id": "7"}, {**GOOD, "id": "7"}], [ANCHOR], "field 'id'", id="duplicate ids"),
    pytest.param([GOOD, GOOD], [LONG], "window", id="anchor longer than the window"),
]
SETTINGS = [
    pytest.param("nuggets: {finetune: {learning_rat: 1.0e-4}}", "did you mean 'learning_rate'?", id="unknown key"),
    pytest.param("nuggets: {model: mini_casual}", "did you mean 'mini_causal'?", id="unknown model"),
    pytest.param("nuggets: {methods: {gt_0.5: {by: golden_score, above: 1.5}}}", "maximum 1", id="threshold"),
    pytest.param("nuggets: {figure_scores: {thresholds: [-0.5]}}", "minimum 0", id="threshold of a figure"),
]


def make(folder: Path, pool: object, anchors: object, more: str = "") -> Workspace:
    """Return a workspace with a user's files; texts are written as they are, lists as JSON."""
    workspace = Workspace(folder)
    for name, content in (("my_pool.json", pool), ("my_anchors.json", anchors)):
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "my_datasets.yaml").write_text(DATASETS, encoding="utf-8")
    (folder / "my.yaml").write_text(MINE, encoding="utf-8")
    (folder / "more.yaml").write_text(more or "tier: bad\n", encoding="utf-8")
    return workspace


def check_refused(workspace: Workspace, message: str) -> None:
    """Run, and check that it failed with one line that holds `message` and left no scores behind."""
    overlay = "nuggets: {score: {anchor_tokens: 3000}}\n"
    (workspace.folder / "long.yaml").write_text(overlay, encoding="utf-8")
    done = workspace.run("nuggets_choose", configfiles=("my.yaml", "long.yaml", "more.yaml"))
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Traceback" not in output, output[-3000:]
    clear = [line for line in output.splitlines() if line.lstrip().startswith(("error:", "config:"))]
    assert any(message in line for line in clear), output[-3000:]
    assert not list(workspace.folder.glob("results/bad/nuggets/scores/**/scores.csv"))


@pytest.mark.parametrize("pool, anchors, message", FILES)
def test_files(tmp_path: Path, pool: object, anchors: object, message: str) -> None:
    check_refused(make(tmp_path, pool, anchors), message)


@pytest.mark.parametrize("settings, message", SETTINGS)
def test_settings(tmp_path: Path, settings: str, message: str) -> None:
    check_refused(make(tmp_path, [GOOD, GOOD], [ANCHOR], settings), message)
