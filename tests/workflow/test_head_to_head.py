"""The head-to-head takes over what DELIFT's run has learnt already, and can be built alone or left out."""

from __future__ import annotations

import pytest

from tests.long import LONG
from tests.workspace import Workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("head_to_head"))


def plan(workspace: Workspace, overlay: str, *targets: str) -> str:
    """Return what Snakemake says of a dry run with commands, with an overlay on the mini tier."""
    (workspace.folder / "own.yaml").write_text(overlay, encoding="utf-8")
    done = workspace.run(*targets, configfiles=("own.yaml",), options=("--dry-run", "--printshellcmds"))
    return done.stdout + done.stderr


def trainings(output: str) -> list[str]:
    """Return the commands of jobs that learn for the head-to-head."""
    lines = [line for line in output.splitlines() if "scripts.delift.evaluate_subsets" in line]
    return [line for line in lines if "/head_to_head/answers/" in line]


def test_what_delift_has_learnt_is_not_learnt_again(workspace: Workspace) -> None:
    lines = trainings(plan(workspace, "{}", "head_to_head_all"))
    found = {word for line in lines for word in line.split() if "/percent_" in word and word.count("/") == 1}
    assert "delift/percent_10" in found
    assert not found & {"delift/percent_30", "random/percent_30", "initial/percent_0", "full/percent_100"}
    assert not any("--beside" in line for line in lines)


@LONG
def test_it_can_be_built_alone_or_left_out(workspace: Workspace) -> None:
    (workspace.folder / "own.yaml").write_text("papers: [head_to_head]", encoding="utf-8")
    alone = workspace.planned("all", configfiles=("own.yaml",))
    assert {"head_to_head_table_selection", "delift_score_utility", "nuggets_score_candidates"} <= alone
    assert "delift_table_1" not in alone
    (workspace.folder / "own.yaml").write_text("papers: [nuggets]", encoding="utf-8")
    assert not [name for name in workspace.planned("all", configfiles=("own.yaml",)) if name.startswith("head_to_head")]


def test_a_method_that_its_paper_lacks_is_one_clear_line(workspace: Workspace) -> None:
    overlay = "head_to_head: {methods: {less: {paper: delift, method: lesss}}}"
    said = plan(workspace, overlay, "head_to_head_all")
    assert "config: head_to_head.methods.less.method: 'lesss' is no key of delift.methods" in said


def test_the_data_at_hand_is_learnt_beside_where_the_pair_says_so(workspace: Workspace) -> None:
    lines = trainings(plan(workspace, "head_to_head: {selection: {pair: mini_stage_3}}", "head_to_head_all"))
    assert lines
    assert all("--beside" in line for line in lines)
