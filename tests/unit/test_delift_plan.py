"""What DELIFT plans: units and jobs, what each table and figure is made from, and what is read for it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from scripts.common.errors import UserError
from scripts.data.registry import load_registry
from scripts.delift.artifacts import ARTIFACTS
from scripts.delift.pairs import json_entries
from scripts.delift.plan import SHOWN, Plan
from tests.unit.delift_small import artifact, plan, settings
from tests.workspace import REPO_ROOT

ALL = {"words", "similarity", "grades"}
MEASURED = {
    **dict.fromkeys(("table_1", "table_2", "table_3", "table_4", "table_6", "table_fft"), ALL | {"subsets"}),
    "table_5": set(),  # private
    "table_time": set(),
    "table_selection_quality": {"subsets", "objectives"},
    "figure_subset_size": {"words"},
    "figure_laj": {"grades"},
    "figure_stages": {"words"},
}
"""The kinds of measured values that each artifact of the paper tier is made from."""
UNITS = {
    "table_1": 2 * 2 * 8,
    "table_3": 2 * 2 * 9,
    "table_fft": 4 * 8,
    "figure_subset_size": 6 * 10 + 1,
    "figure_laj": 8,
}
DATASETS = load_registry("datasets", folder=REPO_ROOT / "config")


def paper_plan(**changes: Any) -> Plan:
    """Return the plan of the paper's own settings; changes: keys of `delift`."""
    text = (REPO_ROOT / "config/papers/delift.yaml").read_text(encoding="utf-8")
    given = {**yaml.safe_load(text)["delift"], **changes}
    files = [str(REPO_ROOT / path) for path in given["registries"]]
    return Plan(given, entries=json_entries(files))


def kinds(files: tuple[str, ...]) -> set[str]:
    """Return the kinds of measured values, those that say what is missing left out."""
    places = [path.removeprefix("<results>/delift/measured/").removeprefix("answers/") for path in files]
    return {place.partition("/")[0] for place in places} - {"missing.csv"}


def test_the_tables_name_every_artifact() -> None:
    names = [entry.name for entry in ARTIFACTS]
    assert sorted(MEASURED) == sorted(names) == sorted(SHOWN)


@pytest.mark.parametrize("name", MEASURED)
def test_each_artifact_is_made_from_what_it_shows_and_from_nothing_else(name: str) -> None:
    needs = paper_plan().needs(name)
    assert kinds(needs.measured) == MEASURED[name]
    assert dict(needs.files) == ({"times": "<results>/delift/times.csv"} if name == "table_time" else {})


@pytest.mark.parametrize(("name", "units"), UNITS.items())
def test_one_unit_a_job_means_that_an_artifact_has_exactly_its_own(name: str, units: int) -> None:
    files = paper_plan().needs(name).measured
    of_one_kind = {path.replace("/grades/", "/words/") for path in files if "/words/" in path or "/grades/" in path}
    assert len(of_one_kind) == units


def test_what_an_artifact_does_not_show_is_not_in_its_files() -> None:
    shown = paper_plan()
    mine = {place.partition("/units")[0] for place in jobs_behind(shown, "figure_stages")}
    assert mine == {
        "mix_instruct/phi3_mini_128k_instruct/icl",
        "hotpotqa_mmlu/phi3_mini_4k_instruct/icl",
        "squad_hotpotqa/phi3_mini_128k_instruct/icl",
    }
    fine_tuned = {place.partition("/units")[0] for place in jobs_behind(shown, "figure_laj")}
    assert fine_tuned == {"mix_instruct/phi3_mini_128k_instruct/peft"}


def jobs_behind(shown: Plan, name: str) -> set[str]:
    """Return <pair>/<model>/<learning>/units_<n> of the jobs whose answers an artifact needs measured."""
    found: set[str] = set()
    for path in shown.needs(name).measured:
        if "/measured/answers/" in path:
            pair, model, job = path.partition("/answers/")[2].split("/")[1:]
            folders = shown.scored_in(pair, model, int(job.removeprefix("jobs_").removesuffix(".csv")))
            found |= {folder.partition("/answers/")[2] for folder in folders}
    return found


def test_units_share_jobs_of_answers_and_those_jobs_of_measures() -> None:
    shown = plan()
    units = ["delift/percent_30", "full/percent_100", "initial/percent_0", "random/percent_30"]
    assert shown.units("first", "small", "peft") == units
    assert shown.job("first", "small", "peft", 2) == units[2:]
    assert shown.answer_jobs("first", "small") == [("peft", 0), ("peft", 2)]
    assert [list(plan(answers_per_job=n).scoring_jobs("first", "small")) for n in (1, 2, 9)] == [[0, 1], [0], [0]]
    together = plan(answers_per_job=2)
    assert together.scored_in("first", "small", 0) == [
        f"<results>/delift/answers/first/small/peft/units_{start}" for start in (0, 2)
    ]
    places = {path.partition("/answers/")[2] for path in shown.needs("figure_stages").measured} - {""}
    assert places == {f"words/{pair}/small/jobs_{start}.csv" for pair in ("first", "second") for start in (0, 1)}


def test_subsets_are_those_that_something_shows() -> None:
    shown = plan()
    assert shown.chosen("first", "small") == ["delift", "full", "random"]
    assert shown.percents("first", "small", "random") == [30]
    assert shown.chosen("secret", "small") == []
    wide = plan(figure_subset_size={**settings()["figure_subset_size"], "percents": [10, 100]})
    assert wide.percents("first", "small", "random") == [10, 30]
    assert wide.rows("figure_subset_size") == [("random", 10), ("full", 100), ("delift", 10)]


def test_what_a_tier_leaves_out_and_what_is_private_need_nothing_and_say_why() -> None:
    shown = plan()
    assert shown.needs("table_2").measured == ()
    assert kinds(shown.needs("table_5").measured) == set()
    told = {(row["experiment"], row.get("setting")): row["reason"] for row in shown.reasons()}
    assert told["answers", "secret/peft/percent_30"] == "not run: private data"
    assert told["choices", "secret/percent_30"] == "not run: private data"
    # table 2 is left out, but others show its pairs and models: nothing of theirs is missing
    assert not any("first" in (setting or "") for _, setting in told)
    assert told["times", None].endswith("they are no metrics")


@pytest.mark.parametrize(
    ("gone", "left"),
    [
        ({"judge": "no judge"}, {"words", "similarity", "subsets"}),
        ({"embedder": "no embedder"}, {"words", "grades", "subsets"}),
        ({"a/train": "no file"}, set()),
        ({"small": "no model"}, set()),
    ],
)
def test_what_cannot_be_had_does_not_stop_the_rest(gone: dict[str, str], left: set[str]) -> None:
    results = {"metrics": ["rouge_1", "bge_cosine", "judge_score"], "learnings": ["peft"], "also": []}
    table = artifact(**results, runs=[{"pair": "first", "model": "small"}])
    shown = Plan(settings(table_1=table, measures=["rouge_1", "bge_cosine", "judge_score"]), absent=gone)
    assert kinds(shown.needs("table_1").measured) == left
    (reason,) = gone.values()
    assert any(reason in row["reason"] for row in shown.reasons())
    assert not set(gone) & set(shown.models())
    if "a/train" in gone:
        assert kinds(shown.needs("table_3").measured)
        assert ("a", "train") not in shown.raw_files({"a": {}, "b": {}})


def test_without_an_embedder_nothing_is_shown_in_context_or_chosen_by_likeness() -> None:
    methods = {**settings()["methods"], "delift_se": {"by": "embedding"}}
    table = artifact(methods=["random", "delift_se"], learnings=["icl", "peft"], metrics=["rouge_1"], also=[])
    given = settings(methods=methods, table_1=table, embed={"model": "embedder"})
    assert "delift_se/percent_30" in Plan(given).units("first", "small", "icl")
    without = Plan(given, absent={"embedder": "out of reach"})
    assert without.units("first", "small", "icl") == []
    assert "delift_se/percent_30" not in without.units("first", "small", "peft")
    assert without.pages() == []
    told = {(row["experiment"], row.get("setting"), row.get("method")) for row in without.reasons()}
    assert ("answers", "first/icl/percent_30", "random") in told
    assert ("choices", "first/percent_30", "delift_se") in told


def test_only_what_is_asked_is_read() -> None:
    shown = paper_plan()
    read = {name for name, _ in shown.raw_files(DATASETS)}
    assert "government" not in read
    assert shown.models() == sorted(
        {"qwen2_72b_instruct", "phi3_mini_128k_instruct", "phi3_mini_4k_instruct", "mistral_7b", "opt_125m"}
        | {"llama3_2_3b", "granite_3_1_8b_base", "bge_large_en_v1_5", "prometheus_7b"}
    )
    assert "prometheus_7b" not in paper_plan(judge={**shown.delift["judge"], "backend": "openai"}).models()
    assert "prometheus_7b" not in paper_plan(measures=["rouge_1", "bge_cosine"]).models()
    nothing = {**artifact(runs=[]), "learnings": [], "percents": [], "metrics": []}
    quiet = paper_plan(**dict.fromkeys(SHOWN, nothing))
    assert (quiet.models(), quiet.raw_files(DATASETS), quiet.downloads(), quiet.pages()) == ([], [], [], [])


def test_times_are_those_of_the_methods_shown() -> None:
    shown = plan()
    blocks = {f"<results>/delift/utility/first/small/block_{start}.run.json" for start in (0, 12)}
    choices = {f"<results>/delift/subsets/first/small/{name}.run.json" for name in ("random", "delift")}
    assert set(shown.times()) == blocks | choices
    assert set(plan(table_time={**settings()["table_time"], "methods": ["random"]}).times()) == {
        "<results>/delift/subsets/first/small/random.run.json"
    }


def test_settings_hold_only_what_the_artifact_shows() -> None:
    before = plan()
    after = plan(figure_laj={**settings()["figure_laj"], "methods": ["random"]})
    changed = [entry.name for entry in ARTIFACTS if before.settings(entry.name) != after.settings(entry.name)]
    assert changed == ["figure_laj"]


def test_what_is_measured_is_what_is_shown_and_its_by_products() -> None:
    shown = plan()
    files = shown.measured()
    assert len(set(files)) == len(files)
    assert set(files) >= {path for entry in ARTIFACTS for path in shown.needs(entry.name).measured}


def faults(*, synthetic: bool = False, **parts: Any) -> list[str]:
    """Return what is wrong with pair `first` once some of its keys are others."""
    pairs = settings()["pairs"]
    pairs["first"].update(parts)
    known = {
        name: {"origin": "public", "splits": dict.fromkeys(("train", "validation", "test", "query"))} for name in "abd"
    }
    found = plan(pairs=pairs).pair_faults(known, synthetic=synthetic)
    return [line for line in found if ".first." in line]


def test_faults_of_a_pair_are_named() -> None:
    assert faults() == []
    other = {"dataset": "bb", "split": "train", "from": 0, "to": 1}
    (line,) = faults(pool=other)
    assert line.startswith("delift.pairs.first.pool.dataset: 'bb' is in no registry (did you mean 'b'?)")
    (line,) = faults(test={**other, "dataset": "a", "split": "tests"})
    assert "'a' has no split 'tests' (did you mean 'test'?); choose one of train, validation" in line
    assert all("'a' is a public dataset, but data.source is synthetic" in line for line in faults(synthetic=True))
    assert len(faults(synthetic=True)) == 3


def test_an_objective_that_sums_over_the_benchmark_needs_it_as_target() -> None:
    methods = {**settings()["methods"], "delift": {"by": "utility", "objective": "query_mutual_information"}}
    found = plan(methods=methods).pair_faults({}, synthetic=False)
    assert any(line.startswith("delift.pairs.second.targets: 'pool', but delift.methods.delift max") for line in found)


def test_a_json_registry_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match=r"^delift\.registries: nowhere\.json"):
        json_entries(["nowhere.json"])


def test_a_data_set_of_a_json_registry_is_fetched_where_it_is_read() -> None:
    pairs = settings()["pairs"]
    pairs["first"]["pool"] = {"dataset": "mine/new", "split": "train", "from": 0, "to": 1}
    shown = Plan(settings(pairs=pairs), entries={"mine/new": "mine.json"})
    assert shown.downloads() == ["<results>/delift/registered/mine--new/train.jsonl"]
    assert ("mine/new", "train") not in shown.raw_files({"a": {}, "b": {}})
