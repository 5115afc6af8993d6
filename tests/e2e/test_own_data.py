"""The commands for one's own data in docs/nuggets.md, run as they stand there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from scripts.common.files import read_csv, read_jsonl
from tests.workspace import REPO_ROOT, Workspace, environment

POOL = [
    {"instruction": "copy the words", "input": "one two three", "output": "one two three"},
    {"instruction": "copy the words", "input": "four five", "output": ""},
    {"instruction": "reverse the words", "input": "six seven eight", "output": "eight seven six"},
    {"instruction": "give the first word : nine ten", "output": "nine"},
    {"instruction": "give the last word : one nine", "output": "two two two two"},
]
ANCHORS = [
    {"instruction": "copy the words", "input": "two three four", "output": "two three four"},
    {"instruction": "give the first word", "input": "five six seven", "output": "five"},
]


def own_workspace(folder: Path) -> Workspace:
    """A workspace with a user's two files."""
    workspace = Workspace(folder)
    (folder / "my_pool.json").write_text(json.dumps(POOL), encoding="utf-8")
    (folder / "my_anchors.json").write_text(json.dumps(ANCHORS), encoding="utf-8")
    return workspace


def block(marker: str) -> str:
    """Return the code block of the pages in docs/ that holds `marker`."""
    texts = [path.read_text(encoding="utf-8") for path in sorted((REPO_ROOT / "docs").glob("*.md"))]
    (found,) = [
        block for text in texts for block in re.findall(r"```\w*\n(.*?)```", text, flags=re.S) if marker in block
    ]
    return found


def test_the_commands_by_hand(tmp_path: Path) -> None:
    workspace = own_workspace(tmp_path)
    path = f"{Path(sys.executable).parent}:{environment()['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block("# own-data")],
        cwd=workspace.folder,
        env={**environment(), "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    scores = {row["id"]: float(row["golden_score"]) for row in read_csv(tmp_path / "scores.csv")}
    assert len(scores) == len(POOL)
    (best,) = read_jsonl(tmp_path / "chosen" / "seed_0.jsonl")
    assert scores[best["id"]] == max(scores.values())


def test_the_workflow(tmp_path: Path) -> None:
    workspace = own_workspace(tmp_path)
    datasets, mine = block("# my_datasets.yaml").split("# my.yaml")
    (tmp_path / "my_datasets.yaml").write_text(datasets, encoding="utf-8")
    mine = mine.replace("pool_size: 1200", f"pool_size: {len(POOL)}")
    (tmp_path / "my.yaml").write_text(mine, encoding="utf-8")
    done = workspace.run("nuggets_choose", configfiles=("my.yaml",))
    assert done.returncode == 0, done.stdout + done.stderr
    chosen = tmp_path / "results/my_data/nuggets/subsets/my_pool/mini_causal/given/top/seed_0.jsonl"
    (best,) = read_jsonl(chosen)
    (row,) = json.loads(Path(str(chosen).replace("subsets", "original_rows")).with_suffix(".json").read_text())
    assert row == POOL[int(best["id"])]
