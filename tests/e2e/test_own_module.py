"""The rules used by `module` from a workflow of one's own, as docs/own_data.md has it."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from scripts.common.files import read_jsonl
from tests.e2e.test_own_data import POOL, block, own_workspace
from tests.workspace import REPO_ROOT


def test_a_workflow_of_ones_own_scores_its_pool(tmp_path: Path) -> None:
    workspace = own_workspace(tmp_path)
    page = (REPO_ROOT / "docs" / "own_data.md").read_text(encoding="utf-8")
    rules, settings = re.findall(r"```\w*\n# own-module: [^\n]*\n(.*?)```", page, flags=re.S)
    (tmp_path / "mine.smk").write_text(rules, encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(settings, encoding="utf-8")
    datasets, _ = block("# my_datasets.yaml").split("# my.yaml")
    (tmp_path / "my_datasets.yaml").write_text(datasets, encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "-s", "mine.smk", "--configfile", "mine.yaml"]
    done = workspace.run_command([*command, "--", "best_row"])
    assert done.returncode == 0, done.stdout + done.stderr
    (best,) = read_jsonl(tmp_path / "best.jsonl")
    assert json.dumps(best["output"]) in json.dumps(POOL)
