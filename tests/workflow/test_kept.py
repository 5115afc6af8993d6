"""The laptop tier from what docs/ keeps of it: report and pages are made again without computing anything."""

from __future__ import annotations

import sys

import pytest

from scripts.common.files import read_text
from tests.workspace import REPO_ROOT, Workspace, jobs_of

COMMAND = [sys.executable, "-m", "snakemake", "--cores", "2"]
DRAWING = ("table", "figure", "report", "reference", "gallery", "collect")
"""What the names of rules that only draw and collect have in them."""


def from_kept(tier: str) -> list[str]:
    return ["--configfile", f"config/tiers/{tier}.yaml", "--config", "from_kept=true"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("kept") / "run", "docs")


def test_nothing_is_computed(place: Workspace) -> None:
    done = place.run_command([*COMMAND, "--dry-run", "--quiet", "rules", *from_kept("laptop"), "--", "all"])
    assert done.returncode == 0, done.stdout + done.stderr
    names = jobs_of(done.stdout + done.stderr) - {"all"}
    assert names
    assert [name for name in sorted(names) if not any(word in name for word in DRAWING)] == []


def test_report_and_pages_are_those_of_the_kept_values(place: Workspace) -> None:
    done = place.run_command([*COMMAND, *from_kept("laptop"), "--", "report", "gallery"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "From kept values." in read_text(place.folder / "results" / "laptop_kept" / "report.html")
    for name in ("laptop/README.md", "claims.md", "claims/laptop.csv", "ddg.md", "nuggets.md"):
        renewed = read_text(place.folder / "docs" / name)
        assert renewed == read_text(REPO_ROOT / "docs" / name), f"docs/{name} is not that of docs/laptop/measured"


def test_a_tier_of_which_nothing_is_kept_says_so(place: Workspace) -> None:
    done = place.run_command([*COMMAND, "--dry-run", *from_kept("sample"), "--", "report"])
    assert done.returncode != 0
    assert "config: from_kept: docs/sample/measured keeps nothing that a table or figure is made from" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
