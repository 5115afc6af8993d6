"""Adding a paper is adding files: a made-up sixth one, of `tests/sixth_paper`, shows up everywhere by itself."""

from __future__ import annotations

import shutil
from pathlib import Path

from scripts.common.files import read_csv
from tests.workspace import REPO_ROOT, Workspace

SIXTH = REPO_ROOT / "tests" / "sixth_paper"
OVERLAY = """
tier: six
papers: [lengths]
tasks: {names: []}
tolerances: {length: 0.5}
mini_world: {evaluate: {documents: 8, long_documents: 2, candidates_per_family: 2, n_anchors: 2, trials: 8,
  continuation_trials: 2, resamples: 10}}
"""


def test_a_sixth_paper_needs_its_own_files_only(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "config", "rules", "scripts", "report")
    shutil.copytree(SIXTH, workspace.folder, dirs_exist_ok=True)
    (tmp_path / "six.yaml").write_text(OVERLAY, encoding="utf-8")
    assert len((SIXTH / "rules" / "lengths.smk").read_text(encoding="utf-8").splitlines()) < 25
    done = workspace.run("lengths_all", "report", configfiles=("six.yaml",))
    assert done.returncode == 0, done.stdout + done.stderr
    results = tmp_path / "results" / "six"
    (row,) = [row for row in read_csv(results / "comparison.csv") if row["paper"] == "lengths"]
    assert row["artifact"] == "table_1"
    assert {row["setting"] for row in read_csv(results / "metrics.csv") if row["paper"] == "lengths"} == {
        "mini_pool",
        "mini_anchors",
    }
    page = (results / "report.html").read_text(encoding="utf-8")
    assert "Mean length of the answers, in words" in page
