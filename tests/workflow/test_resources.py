"""The estimate of what a tier would ask for, from a real dry run of it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from scripts.common.files import read_csv
from tests.workspace import Workspace, environment, jobs_of


def run_paper_tier(workspace: Workspace, target: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run Snakemake with the paper tier's settings, not on top of the mini tier's."""
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *options]
    done = subprocess.run(
        [*command, "--configfile", "config/tiers/paper.yaml", "--", target],
        cwd=workspace.folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_the_estimate_of_the_paper_tier_counts_every_job(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    done = run_paper_tier(workspace, "resources_estimate")
    rows = read_csv(tmp_path / "results" / "paper" / "resources.csv")
    assert rows[-1]["rule"] == "total"
    assert re.search(r"^total +\d+ ", done.stdout, flags=re.M)
    planned = jobs_of(run_paper_tier(workspace, "all", "--dry-run", "--quiet", "rules").stdout)
    assert {row["rule"] for row in rows[:-1]} == {rule for rule in planned if rule != "all"}
    assert float(rows[-1]["gpu_hours_at_most"]) > 0


def test_a_run_says_beforehand_how_long_it_may_take(tmp_path: Path) -> None:
    workspace, target = Workspace(tmp_path), "results/mini/data/examples/mini_anchors/train.jsonl"
    first = workspace.run(target)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "2 jobs that never ran before" in first.stdout + first.stderr
    (tmp_path / target).unlink()
    second = workspace.run(target)
    told = r"^1 job, \d+ s of work one after the other, going by earlier runs$"
    assert re.search(told, second.stdout + second.stderr, flags=re.M), second.stdout + second.stderr
