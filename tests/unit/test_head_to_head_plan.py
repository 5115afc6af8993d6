"""What the head-to-head plans: what each artifact is made from, what is taken over from DELIFT, faults of settings."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml
from snakemake.utils import update_config

from scripts.common.step_parser import shipped_config
from scripts.data.registry import load_registry
from scripts.head_to_head.artifacts import ARTIFACTS
from scripts.head_to_head.plan import Plan
from tests.workspace import REPO_ROOT

CONFIG = REPO_ROOT / "config"
PLACE = "mini_stage_2/mini_causal"
LEARNT = {("initial", 0), ("full", 100), ("random", 30), ("delift", 30)}


def config() -> dict[str, Any]:
    """Return the merged config of the mini tier, as Snakemake merges it."""
    merged = shipped_config()
    update_config(merged, yaml.safe_load((CONFIG / "tiers" / "mini.yaml").read_text(encoding="utf-8")))
    return merged


MINI = config()


def plan(**changes: Any) -> Plan:
    """Return the mini tier's plan; changes: keys of head_to_head.selection."""
    given = copy.deepcopy(MINI)
    given["head_to_head"]["selection"].update(changes)
    return Plan.of(given)


@pytest.fixture(autouse=True)
def _in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPO_ROOT)  # DELIFT's registries are named from there


def kinds(files: tuple[str, ...]) -> set[str]:
    """Return <paper>/<kind> of files of measured values."""
    parts = [path.removeprefix("<results>/").split("/") for path in files]
    return {f"{paper}/{place[0].removesuffix('.csv')}" for paper, _, *place in parts}


ANSWERS = {"delift/answers", "head_to_head/answers"}
MADE_FROM = {
    "table_selection": ANSWERS | {"head_to_head/choosing", "head_to_head/subsets", "head_to_head/scored_subsets"},
    "table_demonstrations": {"head_to_head/demonstrations"},
    "table_time": set(),
    "table_time_demonstrations": set(),
    "figure_selection": ANSWERS | {"head_to_head/choosing"},
    "figure_demonstrations": {"head_to_head/demonstrations"},
    "figure_time": ANSWERS | {"head_to_head/demonstrations"},
}
TIMES = {
    "table_time": {"choosing-times"},
    "table_time_demonstrations": {"answering-times"},
    "figure_time": {"choosing-times", "answering-times"},
}


def test_the_table_names_every_artifact() -> None:
    assert list(MADE_FROM) == [artifact.name for artifact in ARTIFACTS]


@pytest.mark.parametrize("name", MADE_FROM)
def test_each_artifact_is_made_from_what_it_shows_and_from_nothing_else(name: str) -> None:
    needs = plan().needs(name)
    assert kinds(needs.measured) == MADE_FROM[name]
    assert set(needs.files) == TIMES.get(name, set())


def test_what_delift_has_learnt_is_not_learnt_again() -> None:
    shown = plan()
    assert set(shown.learnt_units()) >= LEARNT
    assert not {f"{name}/percent_{percent}" for name, percent in LEARNT} & set(shown.units())
    assert "delift/percent_10" in shown.units()
    assert shown.measured_unit("delift", 30).startswith("<results>/delift/measured/answers/words/mini_stage_2/")
    other = plan(seeds=[5, 6])
    assert other.learnt_units() == []
    assert {"delift/percent_30", "initial/percent_0", "full/percent_100"} <= set(other.units())
    unmeasured = copy.deepcopy(MINI)
    unmeasured["delift"]["measures"] = ["rouge_1"]
    unmeasured["delift"]["known"]["measure"] = "rouge_1"
    assert Plan.of(unmeasured).learnt_units() == []


@pytest.mark.parametrize("method", ["less", "goal_bm25", "goal_neighbours"])
def test_what_chooses_for_another_goal_is_never_taken_over(method: str) -> None:
    given = copy.deepcopy(MINI)
    given["delift"]["table_3"]["methods"].append(method)
    given["head_to_head"]["selection"]["methods"] = ["random", method]
    assert (method, 30) not in Plan.of(given).learnt_units()
    assert ("random", 30) in Plan.of(given).learnt_units()
    assert f"{method}/percent_30" in Plan.of(given).units()


def test_the_figure_of_seconds_needs_the_smallest_subsets_alone() -> None:
    shown = plan(units_per_job=1)
    files = [
        path for path in shown.needs("figure_time").measured if path.startswith("<results>/head_to_head/measured/a")
    ]
    assert len(files) == len(shown.selection["methods"])
    assert len([p for p in shown.needs("table_selection").measured if "/head_to_head/measured/answers/" in p]) == 16


def test_jobs_hold_the_units_in_their_order() -> None:
    shown = plan(units_per_job=8)
    assert shown.job("mini_stage_2", "mini_causal", "fft", 8) == shown.units()[8:16]
    assert shown.scored_in("mini_stage_2", "mini_causal", 8) == [f"<results>/head_to_head/answers/{PLACE}/fft/units_8"]
    name, _, percent = shown.units()[9].partition("/percent_")
    assert shown.measured_unit(name, int(percent)).endswith(f"/{PLACE}/jobs_8.csv")


def test_each_methods_subsets_are_made_by_its_papers_command() -> None:
    shown = plan()
    assert shown.of_paper("nuggets") == ["perplexity", "ifd", "nuggets"]
    assert shown.folder("x", "pair", "model", "nuggets") == "x/scored_subsets/pair/model/nuggets"
    assert shown.folder("x", "pair", "model", "less") == "x/subsets/pair/model/less"
    assert shown.folder("x", "pair", "model", "initial") == ""
    assert shown.choice("nuggets") == MINI["nuggets"]["methods"]["top"]
    assert (shown.percents("", "", "full"), shown.percents("", "", "less")) == ([100], [10, 30])


@pytest.mark.parametrize(
    ("selection", "left"),
    [({"not_run": "no pool"}, "no pool"), ({"pair": "ibm_government"}, "private data: IBM and Government")],
)
def test_a_half_that_is_not_run_needs_nothing_and_says_why(selection: dict[str, str], left: str) -> None:
    shown = plan(**selection)
    assert shown.needs("table_selection").measured == ()
    assert kinds(shown.needs("figure_time").measured) == {"head_to_head/demonstrations"}
    assert shown.times("choosing") == []
    assert left in shown.settings("table_selection")["selection"]["not_run"]
    assert [row["experiment"] for row in shown.reasons()] == ["answers", "choosing"]
    assert all(left in row["reason"] for row in shown.reasons())
    assert "mini_encoder" in shown.models()  # the learner of DDG still chooses texts by it


def test_what_cannot_be_had_leaves_its_half_out() -> None:
    given = copy.deepcopy(MINI)
    given["data"]["left_out"] = ["mini_delift_2"]
    shown = Plan.of(given)
    assert "mini_delift_2 is named in data.left_out" in shown.selection_left_out()
    assert shown.demonstrations_left_out() == ""
    given["data"]["left_out"] = [given["mend"]["backbones"]["mini"]["distiller"]]
    assert "is named in data.left_out" in Plan.of(given).demonstrations_left_out()


def test_only_what_is_asked_is_read() -> None:
    datasets = load_registry("datasets", folder=CONFIG)
    read = set(plan().raw_files(datasets))
    assert ("mini_delift_2", "train") in read
    assert not {name for name, _ in read} & {"mini_delift_1", "mini_delift_3"}
    quiet = set(plan(not_run="no pool").raw_files(datasets))
    assert not any(name.startswith("mini_delift") for name, _ in quiet)


def test_settings_hold_the_half_that_is_shown() -> None:
    shown = plan()
    halves = {artifact.name: set(shown.settings(artifact.name)) for artifact in ARTIFACTS}
    assert halves["table_selection"] == {"selection"}
    assert halves["figure_demonstrations"] == {"demonstrations"}
    assert halves["figure_time"] == {"selection", "demonstrations"}


def test_what_delift_measured_stands_with_delift() -> None:
    files = plan().measured()
    assert all(path.startswith("<results>/head_to_head/measured/") for path in files)
    assert len(set(files)) == len(files)


def faults(**changes: Any) -> list[str]:
    given = copy.deepcopy(MINI)
    update_config(given["head_to_head"], changes)
    return Plan.of(given).faults()


def test_faults_are_named() -> None:
    assert faults() == []
    (line,) = faults(methods={"less": {"paper": "delift", "method": "lesss"}})
    assert line.startswith("head_to_head.methods.less.method: 'lesss' is no key of delift.methods; choose one of")
    (line,) = faults(demonstrations={"dpc": 3})
    assert line == "head_to_head.demonstrations.dpc: 3 is not in ddg.sets.dpcs; add it there"
    (line,) = faults(demonstrations={"sets": ["bm25"]})
    assert line == "head_to_head.demonstrations.sets: 'bm25' is by retrieval, not by coreset or generator"
    (line,) = faults(demonstrations={"task": "qqp"})
    assert line == "head_to_head.demonstrations.task: 'qqp' has several text columns; choose a task with one"
    assert faults(demonstrations={"dpc": 3, "not_run": "not here"}) == []


def test_nothing_is_at_fault_where_it_is_not_asked_for() -> None:
    given = copy.deepcopy(MINI)
    update_config(given["head_to_head"], {"demonstrations": {"dpc": 3}})
    given["papers"] = ["nuggets"]
    assert Plan.of(given).faults() == []
