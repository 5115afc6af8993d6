"""What DDG plans: runs and jobs, what each table and figure is made from, what is read, what cannot be had."""

from __future__ import annotations

import json

import pytest

from scripts.common.errors import UserError
from scripts.common.step_parser import checked, shipped_config
from scripts.data.registry import load_registry
from scripts.ddg import job_settings
from scripts.ddg.artifacts import ARTIFACTS
from scripts.ddg.list_missing import missing_averages, missing_differences, missing_learners, missing_prompts
from scripts.ddg.measurements import ContextRun, LearnerRun, context_setting
from scripts.ddg.plan import Plan
from scripts.ddg.plan_checks import check_tasks
from scripts.ddg.settings_steps import (
    CoresetSettings,
    InContextSettings,
    LearnerSettings,
    MatchSettings,
    PretrainSettings,
    SetSettings,
)
from tests.unit.ddg_results import paper_settings, plan, settings
from tests.unit.test_config_check import changed, faults
from tests.workspace import REPO_ROOT

DATASETS = load_registry("datasets", folder=REPO_ROOT / "config")
WRITING = {"vanilla_lm", "dilm", "ddg"}
CHOOSING = {"random", "k_centers", "herding"}
CLASSIC = CHOOSING | WRITING
LARGE = {"llama2_7b_32k", "qwen1_5_7b", "mistral_7b"}
MAIN_TASKS = {"sst2", "sst5", "mnli", "qqp", "cola", "ag_news", "qnli", "cr"}
OTHERS = {"bert_base", "roberta_base", "bert_large", "xlnet_base"}
ABLATED = {"ddg_independent", "dilm_no_rt", "dilm_no_dms", "dilm_no_selection", "vanilla_lm_no_selection"}
SWEPT = {"ddg_decay_0.9", "ddg_decay_0.999", "dilm_tau_0.5", "dilm_tau_2"}
THREE = {"sst2", "qqp", "mnli"}
LEARNERS: dict[str, tuple[set, set, set, set]] = {
    "table_1": (THREE, {"bert_base"}, CLASSIC | {"full"}, {"5", "10", "20", "full"}),
    "table_2": (THREE, OTHERS, {"random", "k_centers", "dilm"}, {"20"}),
    "table_7": (THREE, OTHERS, {"random", "k_centers", "dilm"}, {"5"}),
    "table_8": (THREE, OTHERS, {"random", "k_centers", "dilm"}, {"10"}),
    "table_4": (THREE, {"bert_base"}, {"dilm", "dilm_no_rt", "dilm_no_dms", "dilm_no_selection"}, {"5"}),
    "table_ablation": ({"sst2"}, {"bert_base"}, {"ddg", "dilm", "vanilla_lm", *ABLATED}, {"5"}),
    "table_paired": (THREE, {"bert_base"}, CLASSIC - {"herding"}, {"5", "10", "20"}),
    "figure_sensitivity": ({"sst2"}, {"bert_base"}, {"random", "dilm", "ddg", *SWEPT}, {"5", "10", "20"}),
}
"""What learners each artifact needs in the paper tier: tasks, learners, methods, texts a class."""
PROMPTS: dict[str, tuple[set, set, set, set]] = {
    "table_3": ({"sst2"}, {"gpt2_xl", "opt_2_7b", "llama2_7b"}, {"dilm"},
                {"random", "k_centers", "dilm", "dilm_released"}),
    "table_main": (MAIN_TASKS, LARGE, {"longicl"}, CLASSIC | {"zero_shot", "self_icl", "bm25", "knn"}),
    "table_long": ({"banking77", "goemotions"}, LARGE, {"longicl"}, {"random", "k_centers", "dilm", "ddg", "knn"}),
    "table_ablation": ({"sst2"}, {"llama2_7b_32k"}, {"longicl"}, {"ddg", "dilm", "vanilla_lm", *ABLATED}),
    "table_paired": (THREE, LARGE, {"longicl"}, CLASSIC - {"herding"}),
    "figure_sensitivity": ({"sst2"}, {"llama2_7b_32k"}, {"longicl"}, {"random", "dilm", "ddg"}),
}  # fmt: skip
"""What is asked in context for each artifact in the paper tier: tasks, models, protocols, methods."""
NEITHER = {"table_examples": {"sets": 1}, "figure_training": {"histories": 2}}
"""Artifacts of files alone: {flag: how many files}."""


def paper_plan(**changes) -> Plan:
    """Return the plan of the paper's own settings; changes: keys of `ddg`."""
    given = {**paper_settings(), **changes}
    return Plan(given, {"glue_sst2": ["negative", "positive"]})


def test_the_tables_name_every_artifact():
    assert {*LEARNERS, *PROMPTS, *NEITHER} == {artifact.name for artifact in ARTIFACTS}


@pytest.mark.parametrize("artifact", [artifact.name for artifact in ARTIFACTS])
def test_each_artifact_is_made_of_its_own_tasks_methods_learners_and_models(artifact):
    given = paper_plan()
    learners, prompts = given.jobs_of(artifact)
    trained = [run for job in learners for run in given.learner_jobs[job]]
    asked = [run for job in prompts for run in given.context_jobs[job]]
    columns = [[getattr(run, name) for run in trained] for name in ("task", "learner", "method", "size")]
    assert tuple(map(set, columns)) == LEARNERS.get(artifact, (set(),) * 4)
    columns = [[getattr(run, name) for run in asked] for name in ("task", "model", "protocol", "method")]
    assert tuple(map(set, columns)) == PROMPTS.get(artifact, (set(),) * 4)
    assert (len(trained), len(asked)) == (len(learners), len(prompts))  # a job each


@pytest.mark.parametrize("artifact", [artifact.name for artifact in ARTIFACTS])
def test_an_artifact_is_given_the_files_of_its_jobs_and_no_others(artifact):
    given = paper_plan()
    needs, (learners, prompts) = given.needs(artifact), given.jobs_of(artifact)
    wanted = {f"learners/{'/'.join(job)}.csv" for job in learners}
    wanted |= {f"in_context/{'/'.join(job)}.csv" for job in prompts}
    if artifact == "table_paired":  # differences are measured of the runs, the table shows nothing else
        wanted = {"differences.csv"}
    wanted |= {"averages.csv"} if artifact == "table_main" else set()
    assert {path.partition("/measured/")[2] for path in needs.measured} == {*wanted, "missing.csv"}
    assert len(set(needs.measured)) == len(needs.measured)
    assert {flag: len(paths) for flag, paths in needs.files.items()} == NEITHER.get(artifact, {})


def test_artifacts_share_their_runs():
    given = paper_plan()
    sizes = [set(given.learner_runs(name)) & set(given.learner_runs("table_1")) for name in ("table_2", "table_7")]
    assert [len(shared) for shared in sizes] == [9, 9]  # three tasks, three methods, the main learner
    assert len(given.learner_jobs) == len({run for runs in given.learner_jobs.values() for run in runs})


def test_together_methods_of_the_same_sizes_share_a_job():
    """As in the mini tier: what has all sizes, what has one, and all texts."""
    given = plan(together=True)
    names = {job: [(run.method, run.size) for run in runs] for job, runs in given.learner_jobs.items()}
    shown = [(name, size) for name in ("random", "k_centers", "dilm", "ddg") for size in ("2", "5")]
    assert names["sst2", "bert_base", "dpc_2_5"][:8] == shown
    assert names["sst2", "bert_base", "dpc_5"] == [("dilm_no_rt", "5")]
    assert names["sst2", "bert_base", "full"] == [("full", "full")]
    assert [job for job in names if job[1] == "roberta_base"] == [("sst2", "roberta_base", "dpc_2_5")]
    assert list(given.context_jobs) == [("sst2", "gpt2_xl", "all"), ("many", "gpt2_xl", "all")]


def test_a_job_asks_each_protocol_about_its_own_methods_and_rounds():
    given = plan(together=True)
    runs = given.context_jobs["sst2", "gpt2_xl", "all"]
    only = job_settings.in_context(given, given.ddg, runs, 64)["only"]
    assert only["dilm"] == {"methods": ["random", "dilm"], "rounds": [2]}
    methods = ["zero_shot", "random", "dilm", "ddg", "dilm_no_rt"]
    assert only["longicl"] == {"methods": methods, "rounds": [1, 2]}
    assert job_settings.shown_methods(given.ddg, runs, "coreset") == ["random"]
    alone = plan().context_jobs["sst2", "gpt2_xl", "longicl-zero_shot"]
    told = job_settings.in_context(plan(), plan().ddg, alone, 64)
    assert told["only"] == {"longicl": {"methods": ["zero_shot"], "rounds": [1, 2]}}
    assert list(told["orders"]) == ["longicl"]


def test_the_round_of_a_table_is_asked_whether_or_not_it_is_among_the_rounds():
    table = {"tasks": ["sst2"], "methods": ["random"], "protocol": "longicl", "round": 4}
    assert plan(table_main=table).rounds("longicl") == [1, 2, 4]


def test_the_jobs_settings_are_those_of_the_steps_and_of_their_task():
    """What a person does not give by hand is what a job of the paper has, but for what a task or method says."""
    config = shipped_config()
    given = paper_plan()
    ddg = given.ddg
    learners, contexts = next(iter(given.learner_jobs.values())), next(iter(given.context_jobs.values()))
    asked = job_settings.in_context(given, ddg, contexts, config["compute"]["batch_tokens"])
    jobs = [
        (PretrainSettings, job_settings.pretraining(ddg, "sst2"), {"text_columns", "max_tokens"}),
        (MatchSettings, job_settings.matching(ddg, "sst2", "dilm"), {"text_columns", "max_tokens", "sampling"}),
        (SetSettings, job_settings.sets(ddg, "sst2", "dilm"), {"text_columns", "sampling", "selection"}),
        (CoresetSettings, job_settings.sets(ddg, "sst2", "herding"), {"text_columns", "method"}),
        (LearnerSettings, job_settings.learners(ddg, learners), {"text_columns", "dpcs"}),
        (InContextSettings, asked, {"text_columns", "turns", "orders", "scorers", "only"}),
    ]
    for kind, job, own in jobs:
        assert checked(kind, job).given() == job
        shared = {key: value for key, value in kind.of(config).items() if key not in own}
        assert {key: value for key, value in job.items() if key not in own} == shared
        assert shared
    for variant in ddg["variants"]:
        checked(MatchSettings, job_settings.matching(ddg, "qqp", variant))


def test_settings_hold_only_what_the_artifact_shows():
    before = plan()
    for key, artifacts in (
        ("table_7", {"table_7"}),
        ("table_4", {"table_4"}),
        ("table_long", {"table_long"}),
        ("table_examples", {"table_examples"}),
        ("figure_training", {"figure_training"}),
    ):
        change = {"n": 3} if key == "table_examples" else {"dpc": 5} if key == "table_7" else {"methods": ["random"]}
        change = {"variants": ["ddg"]} if key == "figure_training" else change
        after = plan(**{key: {**before.ddg[key], **change}})
        changed = {a.name for a in ARTIFACTS if before.settings(a.name) != after.settings(a.name)}
        assert changed == artifacts, key
    asked = plan(in_context={**before.ddg["in_context"], "n_queries": 9})
    changed = {a.name for a in ARTIFACTS if before.settings(a.name) != asked.settings(a.name)}
    assert changed == {"table_3", "table_main", "table_long"}


def test_a_sweep_is_named_by_what_it_varies():
    assert plan().sweep("decay") == {"0": "dilm", "0.99": "ddg"}
    assert plan().settings("figure_sensitivity")["show"]["temperature"] == {}  # one value is not drawn
    drawn = paper_plan().settings("figure_sensitivity")["show"]
    assert drawn["temperature"] == {"0.5": "dilm_tau_0.5", "1": "dilm", "2": "dilm_tau_2"}
    assert set(drawn["decay"]) == {"0", "0.9", "0.99", "0.999"}


def test_only_what_is_asked_is_read():
    given = paper_plan()
    raw = given.raw_files(DATASETS)
    assert {dataset for dataset, _ in raw if not dataset.startswith("dilm_")} == {
        "glue_sst2", "glue_qqp", "glue_mnli", "sst5", "cola", "ag_news", "glue_qnli", "cr", "banking77", "goemotions",
    }  # fmt: skip
    assert sum(dataset == "dilm_sst2" for dataset, _ in raw) == 60  # three sizes of twenty draws
    assert set(given.models()) >= {"gpt2", "bert_base_uncased", "roberta_base", "gpt2_xl", "mistral_7b"}
    released = {**given.ddg["table_3"], "methods": ["random", "dilm"]}
    assert not any(dataset == "dilm_sst2" for dataset, _ in paper_plan(table_3=released).raw_files(DATASETS))
    assert given.models().count("bert_base_uncased") == 1


def test_random_texts_and_prompts_without_texts_need_no_encoder():
    given = paper_plan()
    assert given.set_materials("sst2", "random").models == ()
    assert given.set_materials("sst2", "herding").models == ("bert_base_uncased",)
    assert given.materials(ContextRun("sst2", "mistral_7b", "longicl", "bm25")).models == ("mistral_7b",)
    nearest = given.materials(ContextRun("sst2", "mistral_7b", "longicl", "knn"))
    assert nearest.models == ("mistral_7b", "bert_base_uncased")
    nothing = given.materials(ContextRun("sst2", "mistral_7b", "longicl", "zero_shot"))
    assert nothing.splits == (("glue_sst2", "validation"),)


def test_what_cannot_be_had_leaves_the_rest():
    reason = "the mirror has no gpt2"
    given = plan(absent={"gpt2": reason})
    methods = {run.method for runs in given.learner_jobs.values() for run in runs}
    assert methods == {"random", "k_centers", "full"}
    learners = {(row["setting"], row["method"]) for row in missing_learners(given) if row["reason"] == reason}
    assert ("sst2/dpc_5", "dilm_no_rt") in learners
    assert ("sst2/full", "full") not in learners
    prompts = {(row["experiment"], row["setting"], row["method"]) for row in missing_prompts(given)}
    assert ("in_context/dilm", "sst2/round_2/first_token", "dilm") in prompts
    assert {row["method"] for row in missing_averages(given)} == {"dilm"}
    assert {row["method"] for row in missing_differences(given)} == {"dilm-random", "ddg-dilm"}
    assert given.needs("table_examples").files == {"sets": []}
    assert "gpt2" not in given.models()


def test_a_missing_part_of_released_sets_is_found():
    given = Plan(paper_settings(), {}, {"dilm_sst2/dpc5_19": "refused"})
    assert given.obstacle(ContextRun("sst2", "gpt2_xl", "dilm", "dilm_released")) == "refused"
    assert given.obstacle(ContextRun("sst2", "gpt2_xl", "dilm", "dilm")) == ""


def test_a_size_in_which_no_sets_are_made_leaves_the_others():
    """Who distils own texts in one size need not change what every table shows."""
    given = plan(sets={**settings()["sets"], "dpcs": [5]})
    sizes = {run.size for runs in given.learner_jobs.values() for run in runs}
    assert sizes == {"5", "full"}
    assert "no sets of 2 texts a class" in given.obstacle(LearnerRun("sst2", "bert_base", "dilm", "2"))
    asked = plan(sets={**settings()["sets"], "dpcs": [2]}).context_jobs
    assert {run.method for runs in asked.values() for run in runs} == {"zero_shot"}


def test_a_method_without_sets_trains_no_learner():
    given = plan(table_ablation={"tasks": ["sst2"], "methods": ["dilm", "bm25"], "dpc": 5})
    assert "bm25 makes no sets" in given.obstacle(LearnerRun("sst2", "bert_base", "bm25", "5"))
    assert not given.obstacle(ContextRun("sst2", "gpt2_xl", "longicl", "bm25"))


def test_a_prompt_without_demonstrations_has_round_zero():
    assert context_setting("sst2", "labels", 5, "zero_shot") == "sst2/round_0/labels"
    assert context_setting("sst2", "labels", 5, "random") == "sst2/round_5/labels"


def test_what_is_measured_is_what_is_shown():
    given = plan(table_paired={"pairs": [["dilm", "herding"]]})
    files = given.measured()
    assert len(set(files)) == len(files)
    shown = {path for artifact in ARTIFACTS for path in given.needs(artifact.name).measured}
    beyond = {path.partition("/measured/")[2] for path in files if path not in shown}
    assert beyond == {  # of which table_paired shows the differences only
        "learners/sst2/bert_base/dpc_2-herding.csv",
        "learners/sst2/bert_base/dpc_5-herding.csv",
        "in_context/sst2/gpt2_xl/longicl-herding.csv",
    }
    assert shown <= set(files)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"table_1": {"tasks": ["sst2"], "methods": ["dilmm"], "dpcs": [5]}}, "ddg.table_1.methods: 'dilmm' is not in"),
        ({"table_paired": {"pairs": [["dilm", "radnom"]]}}, "ddg.table_paired.pairs: 'radnom' is not in ddg.methods"),
        ({"table_2": {"learners": ["bert_base"], "methods": ["dilm"], "dpc": 7}}, "ddg.table_2.dpc: 7 is not in ddg.t"),
        ({"table_8": {"dpc": 11}}, "ddg.table_8.dpc: 11 is not in ddg.table_1.dpcs; add it there"),
        ({"table_examples": {"tasks": ["sst2"], "method": "bm25", "n": 1}}, "'bm25' makes no sets of texts"),
        ({"distil": {"tasks": [], "methods": ["zero_shot"]}}, "ddg.distil.methods: 'zero_shot' makes no sets"),
    ],
)
def test_settings_that_do_not_fit_together(changes, message):
    with pytest.raises(UserError, match=message):
        plan(**changes)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("ddg/matching/teacher", "emma", "ddg.matching.teacher: 'emma' is not allowed"),
        ("ddg/matching/temprature", 1, "did you mean 'temperature'?"),
        ("ddg/variants/dilm", {"lm_wait": 1}, "did you mean 'lm_weight'?"),
        ("ddg/learner", "minni", "'minni' is no key of ddg.learners"),
        ("ddg/in_context/n_queries", "all", "ddg.in_context.n_queries"),
        ("ddg/seeds", [], "ddg.seeds: is empty"),
        ("ddg/together", 1, "ddg.together: expected true or false"),
    ],
)
def test_settings_that_the_schema_refuses(path, value, message):
    found = faults(changed(path, value))
    assert found
    assert all(message in line for line in found)


def test_unknown_variants_and_swept_methods_without_one():
    methods = {**settings()["methods"], "ddg": {"by": "generator", "select": None, "variant": "dgd", "selection": None}}
    with pytest.raises(UserError, match="ddg.methods.ddg.variant: 'dgd' is not in ddg.variants; add it"):
        plan(methods=methods)
    with pytest.raises(UserError, match="figure_sensitivity.decay: 'random' matches no gradients"):
        plan(figure_sensitivity={**settings()["figure_sensitivity"], "decay": ["random", "ddg"]})


def test_a_split_that_is_not_registered_and_released_sets_that_are_none():
    given = settings()
    given["tasks"]["sst2"] = {**given["tasks"]["sst2"], "test": "tset"}
    with pytest.raises(UserError, match="ddg.tasks.sst2: dataset 'glue_sst2' has no split 'tset'"):
        check_tasks(given, ["sst2"], DATASETS)
    shown = {"tasks": ["many"], "methods": ["dilm_released"], "protocol": "longicl", "round": 2}
    with pytest.raises(UserError, match="ddg.tasks.many.released: is null"):
        plan(table_main=shown).context_jobs  # noqa: B018 (reading it makes the jobs)


def test_the_plan_travels_as_json():
    import dataclasses

    given = paper_plan()
    assert Plan(**json.loads(json.dumps(dataclasses.asdict(given)))).measured() == given.measured()
