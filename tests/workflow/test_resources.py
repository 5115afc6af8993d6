"""The estimate of what a tier would ask for, from a real dry run of it."""

from __future__ import annotations

import re
from pathlib import Path

from scripts.common.files import read_csv
from tests.workspace import Workspace


def test_the_estimate_of_the_paper_tier_counts_every_job(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    paper = ("config/tiers/paper.yaml",)
    done = workspace.run("resources_estimate", configfiles=paper)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = read_csv(tmp_path / "results" / "paper" / "resources.csv")
    assert rows[-1]["rule"] == "total"
    assert re.search(r"^total +\d+ ", done.stdout, flags=re.M)
    planned = workspace.planned("all", configfiles=paper)
    assert {row["rule"] for row in rows[:-1]} == {rule for rule in planned if rule != "all"}
    assert float(rows[-1]["gpu_hours_at_most"]) > 0
