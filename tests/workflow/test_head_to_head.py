"""The head-to-head takes over what DELIFT's run has learnt already, and can be built alone or left out."""

from __future__ import annotations

import pytest

from tests.workspace import Workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("head_to_head"))


def plan(workspace: Workspace, overlay: str, *targets: str) -> str:
    """Return what Snakemake says of a dry run with commands, with an overlay on the mini tier."""
    (workspace.folder / "own.yaml").write_text(overlay, encoding="utf-8")
    done = workspace.run(*targets, configfiles=("own.yaml",), options=("--dry-run", "--printshellcmds"))
    return done.stdout + done.stderr


def units(output: str) -> set[str]:
    """Return the subsets that jobs of our own learn from."""
    lines = [line for line in output.splitlines() if "evaluate_subsets" in line and "/head_to_head/" in line]
    words = [word for line in lines for word in line.split() if "/percent_" in word and "results" not in word]
    return {word for word in words if word.count("/") == 1}


def test_what_delift_has_learnt_is_not_learnt_again(workspace: Workspace) -> None:
    found = units(plan(workspace, "{}", "head_to_head_all"))
    assert "delift/percent_10" in found
    assert not found & {"delift/percent_30", "random/percent_30", "initial/percent_0", "full/percent_100"}


def test_with_other_seeds_everything_is_learnt(workspace: Workspace) -> None:
    found = units(plan(workspace, "head_to_head: {selection: {seeds: [5, 6]}}", "head_to_head_all"))
    assert {"delift/percent_30", "random/percent_30", "initial/percent_0", "full/percent_100"} <= found


def test_it_can_be_built_alone_or_left_out(workspace: Workspace) -> None:
    (workspace.folder / "own.yaml").write_text("papers: [head_to_head]", encoding="utf-8")
    alone = workspace.planned("all", configfiles=("own.yaml",))
    assert {"head_to_head_table_selection", "delift_score_utility"} <= alone
    assert "delift_table_1" not in alone
    (workspace.folder / "own.yaml").write_text("papers: [nuggets]", encoding="utf-8")
    assert not [name for name in workspace.planned("all", configfiles=("own.yaml",)) if name.startswith("head_to_head")]


def test_a_half_that_is_not_run_needs_nothing(workspace: Workspace) -> None:
    (workspace.folder / "own.yaml").write_text("head_to_head: {selection: {not_run: no pool}}", encoding="utf-8")
    planned = workspace.planned("head_to_head_all", configfiles=("own.yaml",))
    assert "head_to_head_table_selection" in planned
    assert not planned & {"head_to_head_evaluate_subsets", "delift_score_utility"}


def test_a_method_that_its_paper_lacks_is_one_clear_line(workspace: Workspace) -> None:
    overlay = "head_to_head: {methods: {less: {paper: delift, method: lesss}}}"
    said = plan(workspace, overlay, "head_to_head_all")
    assert "config: head_to_head.methods.less.method: 'lesss' is no key of delift.methods" in said


def test_the_data_at_hand_is_learnt_beside_where_the_pair_says_so(workspace: Workspace) -> None:
    asked = "head_to_head: {{selection: {{pair: {}}}}}"
    said = {pair: plan(workspace, asked.format(pair), "head_to_head_all") for pair in ("mini_stage_2", "mini_stage_3")}
    jobs = {
        pair: [
            line for line in text.splitlines() if "scripts.delift.evaluate_subsets" in line and "/head_to_head/" in line
        ]
        for pair, text in said.items()
    }
    assert jobs["mini_stage_2"]
    assert not any("--beside" in line for line in jobs["mini_stage_2"])
    assert jobs["mini_stage_3"]
    assert all("--beside" in line for line in jobs["mini_stage_3"])


def test_demonstrations_that_do_not_fit_together_are_one_clear_line(workspace: Workspace) -> None:
    for overlay, fault in (
        ("{dpc: 3}", "head_to_head.demonstrations.dpc: 3 is not in ddg.sets.dpcs"),
        ("{sets: [bm25]}", "head_to_head.demonstrations.sets: 'bm25' is by retrieval, not by coreset or generator"),
        ("{task: qqp}", "head_to_head.demonstrations.task: 'qqp' has several text columns"),
    ):
        said = plan(workspace, f"head_to_head: {{demonstrations: {overlay}}}", "head_to_head_all")
        assert fault in said
