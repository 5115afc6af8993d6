"""Every public target can be planned in every tier, and names, scripts and captions agree."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.long import LONG
from tests.workspace import REPO_ROOT, Workspace, all_rules, artifact_rules, jobs_of

TIERS = ("mini", "sample", "paper")


ALL_RULES = all_rules()
ARTIFACTS = artifact_rules()


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """One workspace for all dry runs: they write nothing."""
    return Workspace(tmp_path_factory.mktemp("targets"))


@pytest.mark.parametrize("tier", [pytest.param(tier, marks=() if tier == "mini" else LONG) for tier in TIERS])
def test_every_target_can_be_planned(workspace: Workspace, tier: str) -> None:
    targets = ["all", "download", "report", "nuggets_all", *ARTIFACTS]
    overlay = () if tier == "mini" else (f"config/tiers/{tier}.yaml",)
    if tier != "mini":  # the tiers stand on config.yaml, not on the mini tier
        command = [sys.executable, "-m", "snakemake", "--cores", "2", "--dry-run", "--quiet", "rules"]
        done = subprocess.run(
            [*command, "--configfile", *overlay, "--", *targets],
            cwd=workspace.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        planned = jobs_of(done.stdout + done.stderr)
    else:
        planned = workspace.planned(*targets)
    assert set(ARTIFACTS) <= planned
    assert "nuggets_score_candidates" in planned
    assert ("data_generate_synthetic" in planned) == (tier == "mini")
    assert ("models_download" in planned) == (tier != "mini")


def test_the_plain_command_means_the_mini_tier(workspace: Workspace) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", "--dry-run"],
        cwd=workspace.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "results/mini/report.html" in done.stdout
    assert "results/paper" not in done.stdout


def test_the_menu_names_every_artifact_with_a_description(workspace: Workspace) -> None:
    menu = workspace.run(options=("--list-target-rules",)).stdout
    for name in ["all", "download", "report", "nuggets_all", *ARTIFACTS]:
        assert re.search(rf"^{name} \(.{{20,}}\)$", menu, flags=re.M), f"{name} is not described in the menu"
    described = re.findall(r"^\w+ \((.*)\)$", menu, flags=re.M)
    assert len(set(described)) == len(described)


@pytest.mark.parametrize("name", ARTIFACTS)
def test_each_artifact_has_a_caption(name: str) -> None:
    caption = (REPO_ROOT / "report" / f"{name}.rst").read_text(encoding="utf-8")
    assert len(caption.split()) >= 10
    lead = re.match(r"\*\*([A-Z][^*]{3,60})\.\*\* ", caption.replace("\n", " "))
    assert lead, "a caption opens with its lead in bold: **What it shows.**"


@pytest.mark.parametrize("name", sorted(ALL_RULES))
def test_each_job_rule_keeps_the_conventions(name: str) -> None:
    text = ALL_RULES[name]
    if "shell:" not in text:
        pytest.skip("a target rule or a variant of another rule")
    assert text.startswith('    """'), "a rule begins with its docstring"
    assert "    log:" in text
    if "localrule: True" not in text:  # small chores of the workflow itself
        for part in ("    benchmark:", "    conda:", "        script=", "        code=code_of("):
            assert part in text, f"{part.strip()} is missing"
        script = re.search(r'script="([^"]+)"', text)
        assert script is not None
        assert f'code_of("{script.group(1)}")' in text
        assert (REPO_ROOT / script.group(1)).is_file()


@LONG
def test_lint_is_clean(workspace: Workspace) -> None:
    done = workspace.run(options=("--lint",))
    assert done.returncode == 0, done.stdout + done.stderr


def test_settings_on_the_command_line_keep_their_types(workspace: Workspace) -> None:
    given = ("--config", "nuggets={score: {shard_size: 100}, seeds: [0]}", "compute={memory_mb: 350}")
    done = workspace.run("nuggets_choose", options=("--dry-run", *given))
    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    assert re.search(r"^nuggets_score_candidates +5$", told, flags=re.M)
    assert "mem_mb=350," in told
