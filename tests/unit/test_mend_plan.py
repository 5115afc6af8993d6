"""What MEND plans: jobs and distillers, what each table and figure is made from, and what is read for it."""

from __future__ import annotations

import copy
import dataclasses
import functools

import pytest
import yaml

from scripts.common.errors import UserError
from scripts.data.registry import load_registry
from scripts.data.task_registry import load_task_registry
from scripts.mend.artifacts import ARTIFACTS
from scripts.mend.experiments import USUAL, Condition
from scripts.mend.plan import TASKS, Arm, Cell, Plan
from tests.unit.mend_results import plan
from tests.workspace import REPO_ROOT

STUDY = "scores/gpt2_large/class_to_class"
PERTURBED = ("no_input", "no_label", "random_label", "wrong_label")
MEASURED = {
    "table_3": {f"{STUDY}/{m}{fault}" for m in ("icl", "mend") for fault in ("", *(f"-{name}" for name in PERTURBED))},
    "table_4": {
        f"{STUDY}/{name}"
        for name in (
            "mend", "no_pretraining", "lm_pretraining", "no_finetuning", "lm_only", "kl_only", "hidden_only"
        )
    },
    "table_5": set(),
    "table_efficiency": {"cost/gpt2_large"},
    "table_separators": {
        f"{STUDY}/{m}{form}" for m in ("icl", "mend") for form in ("", "-newlines", "-metaicl", "-label", "-category")
    },
    "table_unseen_labels": {f"{STUDY}/{m}-k_{k}" for m in ("icl", "mend") for k in (2, 4)},
    "table_timing": {"seconds/gpt2_large"},
    "figure_3": {"cost/gpt2_large"},
    "figure_4": {
        *(f"{STUDY}/{m}{k}" for m in ("icl", "mend") for k in ("", "-k_1", "-k_2", "-k_4", "-k_8")),
        *(f"{STUDY}/vectors_{n}" for n in (1, 10, 50, 200)),
    },
    "figure_5": {"attention/gpt2_large"},
    "figure_lambda": {f"{STUDY}/{name}" for name in ("lm_only", "lambda_0.1", "mend", "lambda_10", "kl_only")},
    "figure_timing": {"seconds/gpt2_large"},
}  # fmt: skip
"""The measurement files of each artifact in the paper tier, but for the main table and its pairs."""


def read(name: str) -> dict:
    return yaml.safe_load((REPO_ROOT / "config" / name).read_text(encoding="utf-8"))


@functools.cache
def as_planned(left_out: tuple[str, ...] = ()) -> Plan:
    """Return the plan of the paper's own settings. left_out: of data."""
    data = {"source": "hub", "mirror": None, "left_out": list(left_out), "seed": 0}
    registries = {"datasets": [], "models": []}
    return Plan.of({"mend": read("papers/mend.yaml")["mend"], "data": data, "registries": registries})


def paper_plan(left_out: tuple[str, ...] = (), **changes) -> Plan:
    """Return the plan of the paper's own settings; changes: keys of `mend`; left_out: of data."""
    found = as_planned(left_out)
    return dataclasses.replace(found, mend={**found.mend, **changes})


def names(files) -> set[str]:
    """Return measurement files by what follows the folder `measured`, without their ending."""
    return {path.partition("/measured/")[2].removesuffix(".csv") for path in files}


@pytest.mark.parametrize("artifact", MEASURED)
def test_each_artifact_is_made_from_what_it_shows_and_from_nothing_else(artifact):
    needs = paper_plan().needs(artifact)
    assert names(needs.measured) == MEASURED[artifact]
    assert needs.files == {}


def test_the_main_table_and_its_pairs_have_every_method_backbone_and_setting():
    settings, backbones = (
        ("hr_to_lr", "class_to_class", "non_class_to_class", "qa_to_qa", "non_qa_to_qa", "non_nli_to_nli",
         "non_paraphrase_to_paraphrase"),
        ("gpt2_large", "gpt2_xl", "opt_6_7b", "t5_large", "t5_xl"),
    )  # fmt: skip
    methods = ("zero_shot", "icl", "metaicl", "prompt_tuning", "hyper_tuning", "mend")
    shown = {f"scores/{b}/{s}/{m}" for b in backbones for s in settings for m in methods}
    assert names(paper_plan().needs("table_paired").measured) == shown
    assert names(paper_plan().needs("table_2").measured) == shown | {f"average/{name}" for name in backbones}


def test_the_list_above_and_the_paper_have_the_same_artifacts():
    assert {*MEASURED, "table_2", "table_paired"} == {artifact.name for artifact in ARTIFACTS}


def test_a_table_of_two_methods_trains_one_distiller():
    shown = paper_plan()
    for artifact, trained in (("table_3", {"mend"}), ("figure_lambda", {"lm_only", "lambda_0.1", "mend", "lambda_10",
                                                                       "kl_only"})):  # fmt: skip
        jobs = [shown.jobs()[shown.job_of(cell)] for cell in shown.cells(artifact)]
        sources = [shown.sources("gpt2_large", "class_to_class", job, "distilled") for job in jobs]
        assert {name for found in sources for name in found} == trained
        assert {folder.rpartition("/")[2] for found in sources for folder, _ in found.values()} == trained


def test_together_a_few_jobs_score_all_and_a_group_is_trained_by_one():
    shown = plan()
    assert {key: [arm.name for arm in job.arms] for key, job in shown.jobs().items()} == {
        ("big", "x", "main"): ["zero_shot", "icl", "mend"],
        ("big", "x", "robustness"): [
            "icl-wrong_label", "mend-wrong_label", "icl-metaicl", "mend-metaicl", "icl-k_2", "mend-k_2", "icl-k_4",
            "mend-k_4",
        ],
        ("big", "x", "ablation"): ["mend_short", "kl_only", "lm_only", "hidden_only", "vectors_2"],
    }  # fmt: skip
    assert shown.training_jobs() == ["main", "ablation"]
    assert shown.variants("ablation")["kl_only"] == {"steps": 5, "start": "distillation", "lm_weight": 0.0}
    assert shown.variants("main") == {"mend": {"start": "distillation"}}
    assert shown.distiller("big", "x", "kl_only")[1] == "<results>/mend/distillers/big/x/ablation/kl_only"


def test_apart_each_method_and_condition_is_a_job_and_each_distiller():
    shown = plan(together=False)
    assert [key[2] for key in shown.jobs()][:5] == ["zero_shot", "icl", "mend", "icl-wrong_label", "mend-wrong_label"]
    assert all(len(job.arms) == 1 for job in shown.jobs().values())
    assert shown.distiller("big", "x", "kl_only") == (
        "<results>/mend/distillers/big/x/kl_only", "<results>/mend/distillers/big/x/kl_only/kl_only"
    )  # fmt: skip
    assert shown.variants("kl_only") == {"kl_only": {"steps": 5, "start": "distillation", "lm_weight": 0.0}}


def test_only_the_tasks_of_the_shown_settings_are_asked():
    shown = plan(study_settings=["unseen"])
    jobs = {key[2]: job.settings for key, job in shown.jobs().items()}
    assert jobs == {"main": ["seen", "unseen"], "robustness": ["unseen"], "ablation": ["unseen"]}
    assert shown.test_tasks(jobs["ablation"]) == ["c"]


def test_prompts_are_tuned_where_they_are_asked():
    assert plan().prompted("big", "x") == []
    table = {"backbones": ["big"], "methods": ["zero_shot", "prompt_tuning"]}
    assert plan(table_2=table).prompted("big", "x") == ["seen", "unseen"]
    study = {"methods": ["prompt_tuning"], "perturbations": ["none"]}
    assert plan(table_3=study, study_settings=["seen"]).prompted("big", "x") == ["seen"]


@pytest.mark.parametrize(
    ("arm", "kind", "source"),
    [
        (Arm("zero_shot"), "zero_shot", ""),
        (Arm("icl", Condition(n_demonstrations=4)), "icl", ""),
        (Arm("metaicl"), "tuned", "metaicl"),
        (Arm("prompt_tuning"), "prompt_tuning", ""),
        (Arm("mend", Condition("wrong_label")), "distilled", "mend"),
    ],
)
def test_an_arm_as_the_evaluating_step_reads_it(arm, kind, source):
    number = arm.condition.n_demonstrations or 16
    assert plan().evaluated_arm(arm) == {
        "method": arm.method, "kind": kind, "source": source, "perturbation": arm.condition.perturbation,
        "n_demonstrations": number, "format": "default", "groups": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "experiment", "setting"),
    [
        (USUAL, "scores", "seen"),
        (Condition("no_label"), "perturbed_demonstrations", "seen/no_label"),
        (Condition(n_demonstrations=2), "numbers_of_demonstrations", "seen/k_2"),
        (Condition(format="plain"), "formats", "seen/plain"),
    ],
)
def test_values_are_named_by_what_was_measured(condition, experiment, setting):
    assert (condition.experiment, condition.setting("seen")) == (experiment, setting)


def test_the_cost_is_counted_with_a_distiller_that_nobody_trained():
    folder, shape = paper_plan().unlearned_distiller("gpt2_large")
    assert folder == "results/downloads/models/gpt2"
    assert shape == {"n_vectors": 100, "pooler": "auto"}
    backbones = {"big": {"model": "gpt2_large", "distiller": "gpt2", "format": "plain", "pretrained": "shipped",
                         "pretrained_lm": None}}  # fmt: skip
    assert plan(backbones=backbones).unlearned_distiller("big") == ("shipped", {"n_vectors": 8, "pooler": None})
    anew = {**plan().mend["finetune"], "placeholder_start": "normal", "pooler": "linear"}
    assert plan(backbones=backbones, finetune=anew).unlearned_distiller("big")[1]["pooler"] == "linear"
    variants = {**plan().mend["variants"], "mend": {"start": "backbone", "placeholder_start": "normal"}}
    assert plan(backbones=backbones, variants=variants).unlearned_distiller("big")[0] == "models/gpt2"


def test_what_is_measured_is_what_is_shown_but_the_seconds():
    shown = plan()
    files = shown.measured()
    assert len(set(files)) == len(files)
    wanted = {path for artifact in ARTIFACTS for path in shown.needs(artifact.name).measured}
    assert set(files) == {path for path in wanted if "/seconds/" not in path}
    assert len(wanted) == len(files) + 1


def test_only_what_is_asked_is_read():
    datasets = load_registry("datasets", folder=REPO_ROOT / "config")
    shown = paper_plan()
    assert {name for name, _ in shown.raw_files(datasets)} == {"c4_validation"}
    assert shown.models() == [
        "gpt2", "gpt2_large", "gpt2_xl", "opt_125m", "opt_6_7b", "t5_lm_large", "t5_lm_small", "t5_lm_xl"
    ]  # fmt: skip
    hub = {**shown.mend["tasks"], "source": "hub"}
    assert {name for name, _ in paper_plan(tasks=hub).raw_files(datasets)} == {"c4_validation", "mend_metaicl"}
    assert paper_plan(tasks=hub).downloads() == []
    assert len(shown.downloads()) == len(shown.all_tasks()) > 100
    assert plan().downloads() == []


def laptop_plan(left_out: tuple[str, ...] = (), **tasks) -> Plan:
    """Return the plan of the laptop tier. tasks: keys of mend.tasks to change; left_out: of data."""
    mend = merged(read("papers/mend.yaml")["mend"], read("tiers/laptop.yaml")["mend"])
    data = {"source": "hub", "mirror": None, "left_out": list(left_out), "seed": 0}
    config = {"data": data, "registries": {"datasets": [], "models": []}}
    return Plan.of({"mend": {**mend, "tasks": {**mend["tasks"], **tasks}}, **config})


def merged(below: dict, above: dict) -> dict:
    """Return `below` with what a tier lays over it: maps merge, all else is replaced."""
    both = {key: merged(below[key], value) if isinstance(value, dict) and isinstance(below.get(key), dict) else value
            for key, value in above.items()}  # fmt: skip
    return {**below, **both}


def test_tasks_of_the_registry_come_from_its_files():
    datasets = load_registry("datasets", folder=REPO_ROOT / "config")
    shown = laptop_plan()
    wanted = {("c4_demo", "train"), ("banking77", "train"), ("banking77", "test"), ("ag_news", "test"),
              ("sst2", "train"), ("sst2", "dev"), ("t0_paws", "train")}  # fmt: skip
    assert wanted < set(shown.raw_files(datasets))
    assert shown.downloads() == []
    assert shown.task_files(["intents_03"]) == ["<results>/data/registered_tasks/intents_03"]
    assert shown.registered("news_topics") == {"train": ("ag_news", "test"), "test": ("ag_news", "test")}
    assert paper_plan().registered("ag_news") == {}
    assert shown.models() == ["smollm2_135m_instruct"]
    assert shown.unlearned_distiller("smollm2_135m")[1] == {"n_vectors": 16, "pooler": "scaled", "layers": 10}


def test_held_out_labels_are_in_no_task_that_is_trained_on():
    tasks = load_task_registry(TASKS, ["new_intents", "new_kinds"])
    for setting in ("new_intents", "new_kinds"):
        train, test = ({(tasks.tasks[name]["dataset"], label) for name in names for label in labels_of(tasks, name)}
                       for names in (tasks.settings[setting]["train"], tasks.test_tasks(setting)))  # fmt: skip
        assert not train & test
    sets = [tasks.settings[name]["train"] for name in ("new_intents", "new_kinds")]
    assert sets[0] == sets[1]  # they share the distiller


def labels_of(tasks, name: str) -> list[str]:
    """Return the labels of a task, "all" where it tells all of its data set apart."""
    return tasks.tasks[name].get("labels") or ["all"]


def test_a_registered_file_that_cannot_be_had_leaves_mend_out():
    gone = laptop_plan(("banking77",))
    assert gone.obstacle("smollm2_135m", "zero_shot") == "banking77 is named in data.left_out"
    assert gone.jobs() == {}


def test_tasks_without_a_registered_data_set_are_named():
    mend = read("papers/mend.yaml")["mend"]
    registries = {"datasets": [], "models": []}
    data = {"source": "hub", "mirror": None, "left_out": [], "seed": 0}
    with pytest.raises(UserError, match=r"config/metaicl.yaml: tasks\.piqa: names no `dataset`, but mend.tasks.source"):
        Plan.of({"mend": {**mend, "tasks": {**mend["tasks"], "source": "registry"}}, "data": data,
                 "registries": registries})  # fmt: skip


def shipped_plan(absent=None) -> Plan:
    """Return a plan whose stage 1 by distillation is shipped and whose only distillers start from it."""
    backbones = copy.deepcopy(plan().mend["backbones"])
    backbones["big"]["pretrained"] = "resources/stage_1"
    return plan(absent=absent, backbones=backbones)


def test_a_shipped_stage_1_needs_neither_texts_nor_the_plain_model():
    datasets = {"texts": {"splits": {"train": {}}}}
    assert plan().raw_files(datasets) == [("texts", "train")]
    assert shipped_plan().raw_files(datasets) == []
    assert plan().models() == ["gpt2", "gpt2_large"]
    assert shipped_plan().models() == ["gpt2_large"]


def test_what_cannot_be_had_leaves_the_rest():
    gone = plan(absent={"texts/train": "texts is named in data.left_out"})
    assert gone.obstacle("big", "icl") == ""
    assert gone.obstacle("big", "mend") == gone.obstacle("big", "no_finetuning") == "texts is named in data.left_out"
    assert gone.obstacle("big", "no_pretraining") == ""
    assert {arm.method for job in gone.jobs().values() for arm in job.arms} == {"zero_shot", "icl"}
    assert names(gone.needs("table_4").measured) == {"missing"}
    assert names(gone.needs("table_2").measured) == {"scores/big/x/main", "average/big", "missing"}
    assert names(gone.needs("figure_3").measured) == {"cost/big"}  # no distiller is trained for it
    assert names(gone.needs("figure_5").measured) == {"missing"}
    told = {(row["experiment"], row["method"]) for row in gone.reasons()}
    assert {("scores", "mend"), ("attention", ""), ("formats", "mend"), ("scores", "kl_only")} <= told
    assert not any(experiment in ("cost", "seconds") or method == "icl" for experiment, method in told)
    assert set(gone.averaged("big")) == {"zero_shot/seen", "zero_shot/unseen", "icl/seen", "icl/unseen"}
    assert shipped_plan({"texts/train": "gone"}).reasons() == []


def test_a_model_that_cannot_be_had_is_said_for_its_rows_alone():
    shown = paper_plan(left_out=("opt_6_7b",))
    reason = "opt_6_7b is named in data.left_out"
    assert {(row["model"], row["reason"]) for row in shown.reasons()} == {("opt_6_7b", reason)}
    files = names(shown.needs("table_2").measured)
    assert "missing" in files
    assert not any("opt_6_7b" in name for name in files)
    assert "opt_6_7b" not in shown.models()
    assert "missing" not in names(shown.needs("table_3").measured)
    main = paper_plan(left_out=("gpt2_large",))
    assert all(names(main.needs(name).measured) == {"missing"} for name in MEASURED if name != "table_5")
    assert {row["experiment"] for row in main.reasons()} >= {"cost", "seconds", "attention", "scores", "formats"}


def test_settings_hold_only_what_the_artifact_shows():
    before, after = plan(), plan(table_4={"methods": ["kl_only"]})
    changed = [a.name for a in ARTIFACTS if before.settings(a.name) != after.settings(a.name)]
    assert changed == ["table_4"]
    assert plan().settings("figure_4")["show"]["distillers"] == {"2": "vectors_2", "8": "mend_short"}
    assert plan().settings("figure_lambda")["show"]["distillers"] == {"0": "lm_only", "1": "mend_short"}
    changed = [a.name for a in ARTIFACTS if plan().settings(a.name) != plan(seeds=[1]).settings(a.name)]
    assert changed == ["table_5"]


def test_table_5_shows_how_a_shipped_stage_1_was_trained(tmp_path):
    (tmp_path / "distiller.json").write_text('{"training": {"stage": 2, "steps": 300, "unknown": 1}}')
    backbones = copy.deepcopy(plan().mend["backbones"])
    backbones["big"]["pretrained"] = str(tmp_path)
    assert plan(backbones=backbones).settings("table_5")["pretrain"] == {"stage": 2, "steps": 300}
    assert plan().settings("table_5")["pretrain"] == plan().mend["pretrain"]


def changed(path: str, value) -> dict:
    """Return the paper's `mend` with one setting changed. path: keys joined by dots."""
    mend = copy.deepcopy(as_planned().mend)
    place = mend
    *above, last = path.split(".")
    for key in above:
        place = place[key]
    place[last] = value
    return mend


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("study_settings", ["trained"], "config: mend.study_settings: 'trained' is not in mend.settings; add it"),
        ("backbone", "smollm2_1_7b", "config: mend.backbone: 'smollm2_1_7b' is not in mend.table_2.backbones"),
        ("table_4.methods", ["mend_long"], "config: mend.table_4.methods: no group trains 'mend_long'; add it to"),
        ("table_4.methods", ["icl"], "config: mend.table_4.methods: no group trains 'icl'"),
        ("table_2.methods", ["no_finetuning"], "config: mend.table_2.methods: no group trains 'no_finetuning'"),
        ("table_2.methods", ["kl_only"], "config: mend.table_2.methods: no group trains 'kl_only'"),
        ("figure_4.distillers", ["icl"], "config: mend.figure_4.distillers: no group trains 'icl'"),
        ("figure_lambda.limit", "mend_short", "config: mend.figure_lambda.limit: no group trains 'mend_short'"),
        ("groups.main", ["hyper_tuning"], "config: mend.groups: no group trains 'mend', whose cost is measured"),
        ("groups.main", ["mend", "kl_only"], "config: mend.groups: 'kl_only' is in main and in ablation; remove it"),
        ("groups.main", ["mend"], "config: mend.table_2.methods: no group trains 'hyper_tuning'"),
    ],
)
def test_bad_settings_are_told_by_key(path, value, message):
    with pytest.raises(UserError) as fault:
        paper_plan(**changed(path, value))
    assert message in str(fault.value)


def test_an_unknown_setting_is_told_with_the_file_that_knows_them():
    with pytest.raises(UserError, match=r"config: mend\.settings: no setting 'traned' in config/metaicl\.yaml"):
        load_task_registry(TASKS, ["traned"])


def test_prepared_rows_must_be_named_where_they_are_read():
    with pytest.raises(UserError, match=r"mend\.tasks\.prepared: is null, but mend\.tasks\.source is hub"):
        paper_plan(tasks={**as_planned().mend["tasks"], "source": "hub", "prepared": None})


def test_a_cell_is_in_one_job_whatever_shows_it():
    shown = plan()
    assert shown.job_of(Cell("big", "seen", Arm("mend"))) == ("big", "x", "main")
    assert shown.job_of(Cell("big", "seen", Arm("kl_only"))) == ("big", "x", "ablation")
    assert shown.job_of(Cell("big", "seen", Arm("kl_only", Condition("no_label")))) == ("big", "x", "robustness")
