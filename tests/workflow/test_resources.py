"""The estimates of what a tier and each artifact of it would ask for, from real dry runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from scripts.common.files import read_csv
from tests.long import LONG
from tests.workspace import Workspace, environment, jobs_of

TABLES = ("table_1", "table_2", "table_3", "table_teachers")
FIGURES = tuple(f"figure_{number}" for number in range(4, 10))


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


@LONG
def test_the_estimate_of_the_paper_tier_counts_every_job(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    some = ("--config", "papers=[nuggets,mend]")
    done = run_paper_tier(workspace, "resources_estimate", *some)
    rows = read_csv(tmp_path / "results" / "paper" / "resources.csv")
    assert rows[-1]["rule"] == "total"
    assert re.search(r"^total +\d+ ", done.stdout, flags=re.M)
    planned = jobs_of(run_paper_tier(workspace, "all", *some, "--dry-run", "--quiet", "rules").stdout)
    assert {row["rule"] for row in rows[:-1]} == {rule for rule in planned if rule != "all"}
    assert float(rows[-1]["gpu_hours"]) > 0
    by_rule = {row["rule"]: row for row in rows}
    assert by_rule["nuggets_train_model"]["gpus_per_job"] == "8"  # not cut to the default profile's one
    asks = [row for row in rows if int(row["gpus_per_job"]) and row["rule"] != "delift_score_answers"]
    assert {row["basis"] for row in asks[:-1]} == {"counted"}


def test_a_run_says_beforehand_how_long_it_may_take(tmp_path: Path) -> None:
    workspace, target = Workspace(tmp_path), "results/mini/data/examples/mini_anchors/train.jsonl"
    first = workspace.run(target)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "2 jobs, 20 s of work one after the other: guessed" in first.stdout + first.stderr
    (tmp_path / target).unlink()
    second = workspace.run(target)
    told = r"^1 job, \d+ s of work one after the other: going by earlier runs$"
    assert re.search(told, second.stdout + second.stderr, flags=re.M), second.stdout + second.stderr


@LONG
def test_each_artifact_says_what_it_costs(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    done = run_paper_tier(workspace, "artifact_costs", "--config", "papers=[step_by_step]")
    rows = {row["artifact"]: row for row in read_csv(tmp_path / "results" / "paper" / "artifact_costs.csv")}
    assert set(rows) == {f"step_by_step_{name}" for name in (*TABLES, *FIGURES)}
    for name in ("table_3", "table_teachers"):
        assert rows[f"step_by_step_{name}"]["gpu_jobs"] == "0"
        assert "train" not in rows[f"step_by_step_{name}"]["kinds"]
    trained = {name: int(rows[f"step_by_step_{name}"]["gpu_jobs"]) for name in ("table_1", "table_2", "figure_8")}
    assert trained == {"table_1": 8, "table_2": 12, "figure_8": 4 * 3 * 2 * 7}  # sets x models x methods x shares
    assert re.search(r"^step_by_step_table_3 +\d+ +0 ", done.stdout, flags=re.M)
