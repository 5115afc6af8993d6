"""Dataset pairs of DELIFT as users give them: private data of their own, the original's JSON registries, a fault."""

from __future__ import annotations

import json

import pytest

from tests.workspace import Workspace

ROWS = [{"question": f"say {i}", "answer": str(i)} for i in range(10)]
PAIR = """
tier: own
papers: [delift]
delift:
  registries: [{registry}]
  pairs:
    ibm_government:
      pool: {{dataset: {new}, split: train, from: 0, to: 1}}
      reference: {{dataset: mine/old, split: train, from: 0, to: 1}}
      validation: {{dataset: {new}, split: validation, from: 0, to: 1}}
      test: {{dataset: {new}, split: test, from: 0, to: 1}}
      rows: {{pool: 7, reference: 7}}
      private: null
  table_5:
    runs: [{{pair: ibm_government, model: mini_causal}}]
    learnings: [fft]
    methods: [initial, random, delift]
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with a registry in the original's form that names two files."""
    workspace = Workspace(tmp_path_factory.mktemp("pairs"))
    (workspace.folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    entry = {"input": "question", "output": "answer", "split_name": "train", "files": {"train": "rows.jsonl"}}
    registry = {"mine/new": entry, "mine/old": entry}
    (workspace.folder / "my_datasets.json").write_text(json.dumps(registry), encoding="utf-8")
    return workspace


def overlay(workspace: Workspace, **values: str) -> tuple[str]:
    path = workspace.folder / "own.yaml"
    path.write_text(PAIR.format(**{"registry": "my_datasets.json", "new": "mine/new", **values}), encoding="utf-8")
    return (str(path),)


def test_a_user_points_the_private_pair_at_own_files(workspace: Workspace) -> None:
    planned = workspace.planned("delift_table_5", configfiles=overlay(workspace))
    assert {"delift_prepare_registered", "delift_score_utility", "delift_evaluate_subsets"} <= planned


def test_own_files_are_read_and_cut(workspace: Workspace) -> None:
    part = "results/own/delift/data/ibm_government/pool.jsonl"
    done = workspace.run(part, configfiles=overlay(workspace))
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [json.loads(line) for line in (workspace.folder / part).read_text(encoding="utf-8").splitlines()]
    assert [row["output"] for row in rows] == [str(i) for i in range(7)]


def test_a_dataset_of_no_registry_is_one_line(workspace: Workspace) -> None:
    done = workspace.run(configfiles=overlay(workspace, new="mine/newer"), options=("--dry-run",))
    assert done.returncode != 0
    (line,) = {one for one in done.stderr.splitlines() if ".pool.dataset" in one}
    assert "'mine/newer' is in no registry (did you mean 'mine/new'?)" in line
