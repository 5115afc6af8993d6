"""Which kinds of jobs each table and figure takes in the paper tier: the dry run against a table to check by eye."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.report.job_graph import read_fields
from tests.long import LONG
from tests.workspace import Workspace, environment, listed_artifacts

pytestmark = LONG  # the plan of the paper tier; tests/unit/test_*_plan.py ask the plans as functions

SCORING = {"select_anchors", "score_candidates", "collect_scores"}
EMBEDDING = {"embed_prompts"}
TRAINING = {"select_subset", "train_model"}
JUDGING = {"generate_answers", "judge_answers"}
NUGGETS = {
    "table_1": SCORING | TRAINING | JUDGING,
    "table_2": SCORING | TRAINING | JUDGING,
    "table_3": SCORING | EMBEDDING | TRAINING | JUDGING,
    "table_baselines": SCORING | EMBEDDING | {"score_difficulty"} | TRAINING | JUDGING,
    "table_selection_quality": SCORING | EMBEDDING | {"score_difficulty", "measure_quality"},
    "table_racing": SCORING | EMBEDDING | {"measure_racing"},
    "table_released": {"measure_released"},
    "table_released_counts": {"count_released"},
    "table_cases": SCORING | EMBEDDING | {"count_scores"},
    "figure_scores": SCORING | EMBEDDING | {"count_scores"},
    "figure_released": {"measure_released"},
    "figure_pairwise": SCORING | EMBEDDING | TRAINING | JUDGING,
    "figure_cases": SCORING | EMBEDDING | {"count_scores", "table_cases"},
    "figure_selection_quality": SCORING | EMBEDDING | {"score_difficulty", "measure_quality"} | TRAINING | JUDGING,
    "figure_anchor_sizes": SCORING | EMBEDDING | {"measure_anchor_sizes"},
}
"""Kinds of NUGGETS' jobs; embeddings are those of the K-means anchors and of k-center."""
ONE_ANCHOR_SET = ("table_racing", "table_cases", "figure_scores", "figure_cases", "figure_anchor_sizes")


PREPARING = {"list_missing", "prepare_examples"}
STUDENTS = PREPARING | {"train_models", "measure_students"}
STEP_BY_STEP = {
    "table_1": STUDENTS,
    "table_2": STUDENTS,
    "table_3": PREPARING | {"measure_rows"},
    "table_teachers": PREPARING | {"measure_teacher"},
    "figure_4": STUDENTS | {"measure_fewest_rows"},
    "figure_5": STUDENTS | {"measure_fewest_rows"},
    "figure_6": STUDENTS | {"measure_teacher"},
    "figure_7": STUDENTS | {"measure_teacher"},
    "figure_8": STUDENTS | {"measure_teacher", "measure_fewest_rows"},
    "figure_9": STUDENTS | {"measure_teacher", "measure_fewest_rows"},
}
"""Kinds of Step-by-Step's jobs; what was released says how many rows and which answers there are."""
WRITING = {"train_generator", "match_gradients", "generate_sets"}
LEARNERS = {"list_missing", "train_learners", "measure_learners"}
PROMPTS = {"list_missing", "evaluate_in_context", "measure_in_context"}
DDG = {
    "table_1": {"select_coresets"} | WRITING | LEARNERS,
    "table_2": {"select_coresets"} | WRITING | LEARNERS,
    "table_3": {"select_coresets", "import_sets"} | WRITING | PROMPTS,
    "table_4": WRITING | LEARNERS,
    "table_7": {"select_coresets"} | WRITING | LEARNERS,
    "table_8": {"select_coresets"} | WRITING | LEARNERS,
    "table_main": {"select_coresets"} | WRITING | PROMPTS | {"measure_averages"},
    "table_long": {"select_coresets"} | WRITING | PROMPTS,
    "table_ablation": WRITING | LEARNERS | PROMPTS,
    "table_paired": {"select_coresets", "train_learners", "evaluate_in_context", "measure_differences", "list_missing"}
    | WRITING,
    "table_examples": WRITING | {"list_missing"},
    "figure_sensitivity": {"select_coresets"} | WRITING | LEARNERS | PROMPTS,
    "figure_training": {"train_generator", "match_gradients", "list_missing"},
}
"""Kinds of DDG's jobs; which methods, tasks, learners and models they are of: tests/unit/test_ddg_plan.py."""
OF_SETS = {"gpt2", "bert_base_uncased"}
FETCHED = {
    "table_1": ({"sst2", "qqp", "mnli"}, OF_SETS),
    "table_2": ({"sst2", "qqp", "mnli"}, OF_SETS | {"roberta_base", "bert_large_uncased", "xlnet_base_cased"}),
    "table_3": ({"sst2"}, OF_SETS | {"gpt2_xl", "opt_2_7b", "llama2_7b"}),
    "table_long": ({"banking77", "goemotions"}, OF_SETS | {"llama2_7b_32k", "qwen1_5_7b", "mistral_7b"}),
    "table_examples": ({"sst2"}, OF_SETS),
    "figure_sensitivity": ({"sst2"}, OF_SETS | {"llama2_7b_32k"}),
    "figure_training": ({"sst2"}, OF_SETS),
}
"""What some of DDG's artifacts fetch: data sets (without the collection's name) and models."""
LEARNING = {
    *(
        "prepare_registered",
        "prepare_part",
        "score_utility",
        "collect_utility",
        "embed_examples",
        "collect_similarity",
        "score_baselines",
    ),
    *("select_subset", "evaluate_subsets", "score_answers", "list_missing"),
}
ALL_METHODS = LEARNING - {"evaluate_subsets", "score_answers", "list_missing"}
DELIFT = {
    "table_1": LEARNING,
    "table_2": LEARNING,
    "table_3": LEARNING,
    "table_4": LEARNING,
    "table_5": {"list_missing"},
    "table_6": LEARNING,
    "table_fft": LEARNING,
    "table_time": ALL_METHODS | {"collect_times"},
    "table_selection_quality": ALL_METHODS | {"list_missing", "measure_objectives"},
    "figure_subset_size": LEARNING,
    "figure_laj": LEARNING,
    "figure_stages": LEARNING - {"collect_similarity", "score_baselines"},
}
"""Kinds of DELIFT's jobs: scores of the pool by every method's own way, subsets, answers, their measures."""
SCORED = {"evaluate_methods", "measure_scores"}
DISTILLED = SCORED | {"gather_rows", "pretrain_distiller", "train_distiller"}
TUNED = {"tune_model", "tune_prompts"}
MEND = {
    "table_2": DISTILLED | TUNED | {"measure_average"},
    "table_3": DISTILLED,
    "table_4": DISTILLED,
    "table_5": set(),
    "table_efficiency": {"measure_efficiency"},
    "table_separators": DISTILLED,
    "table_unseen_labels": DISTILLED,
    "table_paired": DISTILLED | TUNED,
    "table_timing": {"measure_efficiency"},
    "figure_3": {"measure_efficiency"},
    "figure_4": DISTILLED,
    "figure_5": DISTILLED - SCORED | {"measure_attention"},
    "figure_lambda": DISTILLED,
    "figure_timing": {"measure_efficiency"},
}
"""Kinds of MEND's jobs; cost and seconds are those of a distiller that nobody trained."""
MINI_WORLD = {name: {"evaluate_causal"} for name in ("table_models", "figure_in_context", "figure_authors")}
"""Kinds of jobs of the page on the shipped models."""
CHOOSING = {"join_targets", "count_selection", "measure_choosing"}
HEAD_TO_HEAD = {
    "table_selection": CHOOSING | {"select_scored", "measure_choices"},
    "table_demonstrations": set(),
    "table_time": {"join_targets", "collect_times"},
    "table_time_demonstrations": {"collect_times"},
    "figure_selection": CHOOSING | {"select_scored"},
    "figure_demonstrations": set(),
    "figure_time": {"join_targets", "select_scored", "collect_times"},
}
"""Kinds of the head-to-head's own jobs; the paper tier leaves demonstrations out."""
OTHERS = {
    "table_selection": {"score_candidates", "score_difficulty", "score_baselines", "select_subset", "evaluate_subsets"},
    "table_time": {"score_candidates", "score_difficulty", "score_baselines", "select_subset", "score_utility"},
}
"""Some kinds of jobs of the papers that the head-to-head has them make, with its own pool and goal."""
KINDS = {
    "ddg": DDG,
    "delift": DELIFT,
    "head_to_head": HEAD_TO_HEAD,
    "mend": MEND,
    "mini_world": MINI_WORLD,
    "nuggets": NUGGETS,
    "step_by_step": STEP_BY_STEP,
}
BY_HAND = [(paper, artifact) for paper, own in KINDS.items() for artifact in own]


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """Return every job of these papers in the paper tier, as a dry run prints it."""
    workspace = Workspace(tmp_path_factory.mktemp("plans"))
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run", "--forceall"]
    done = subprocess.run(
        [*command, "--configfile", "config/tiers/paper.yaml", "--", *(f"{paper}_all" for paper in KINDS)],
        cwd=workspace.folder, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return read_fields(done.stdout + done.stderr)


def behind(jobs: list[dict[str, str]], artifact: str, paper: str = "nuggets") -> list[dict[str, str]]:
    """Return the jobs that an artifact takes, its own left out."""
    makers = {file: job for job in jobs for file in job.get("output", "").split(", ") if file}
    (own,) = [job for job in jobs if job["rule"] == f"{paper}_{artifact}"]
    found: dict[int, dict[str, str]] = {}
    waiting = own["input"].split(", ")
    while waiting:
        job = makers.get(waiting.pop())
        if job is not None and id(job) not in found:
            found[id(job)] = job
            waiting += job.get("input", "").split(", ")
    return list(found.values())


def of_paper(job: dict[str, str], paper: str) -> bool:
    """Return whether a job is one of the paper's own rules, or the shared one that writes down what it lacks."""
    missing = job["rule"] == "report_list_missing" and job["output"].endswith(f"/{paper}/measured/missing.csv")
    return job["rule"].startswith(f"{paper}_") or missing


def test_the_tables_name_every_artifact() -> None:
    listed = {paper: [artifact.name for artifact in own] for paper, own in listed_artifacts().items()}
    assert {paper: list(own) for paper, own in KINDS.items()} == listed


@pytest.mark.parametrize(("paper", "artifact"), BY_HAND)
def test_an_artifact_takes_the_jobs_of_what_it_shows(jobs: list[dict[str, str]], paper: str, artifact: str) -> None:
    found = {job["rule"].removeprefix(f"{paper}_") for job in behind(jobs, artifact, paper) if of_paper(job, paper)}
    assert {rule.removeprefix("report_") for rule in found} == KINDS[paper][artifact]


@pytest.mark.parametrize("artifact", ["table_3", "table_teachers"])
def test_what_data_alone_can_tell_takes_no_model(jobs: list[dict[str, str]], artifact: str) -> None:
    rules = {job["rule"] for job in behind(jobs, artifact, "step_by_step")}
    assert not [rule for rule in rules if "train" in rule or rule.startswith("models_")]


@pytest.mark.parametrize("artifact", ONE_ANCHOR_SET)
def test_one_anchor_set_is_scored_for_what_shows_one(jobs: list[dict[str, str]], artifact: str) -> None:
    found = behind(jobs, artifact)
    anchors = {Path(job["output"].split(", ")[0]).parent.name for job in found if job["rule"].endswith("candidates")}
    assert anchors == {"kmeans_100"}
    assert not any("benchmark" in job["rule"] or "mt_bench" in str(job) for job in found)


@pytest.mark.parametrize("artifact", OTHERS)
def test_the_head_to_head_has_the_papers_rules_make_its_files(jobs: list[dict[str, str]], artifact: str) -> None:
    found = [job for job in behind(jobs, artifact, "head_to_head") if "/head_to_head/" in job["output"]]
    theirs = {job["rule"].partition("_")[2] for job in found if not job["rule"].startswith("head_to_head_")}
    assert theirs >= OTHERS[artifact] - {"score_utility"}
    every = {job["rule"] for job in behind(jobs, artifact, "head_to_head")}
    assert ("delift_score_utility" in every, "delift_evaluate_subsets" in every) == (
        True,
        artifact == "table_selection",
    )


@pytest.mark.parametrize(
    ("artifact", "kinds", "learnings"),
    [
        ("table_1", {"words", "similarity", "grades"}, {"icl", "peft"}),
        ("table_fft", {"words", "similarity", "grades"}, {"fft"}),
        ("figure_subset_size", {"words"}, {"icl"}),
        ("figure_laj", {"grades"}, {"peft"}),
        ("figure_stages", {"words"}, {"icl"}),
    ],
)
def test_answers_are_measured_as_they_are_shown(
    jobs: list[dict[str, str]], artifact: str, kinds: set[str], learnings: set[str]
) -> None:
    found = behind(jobs, artifact, "delift")
    measured = {
        Path(job["output"].split(", ")[0]).parent.name for job in found if job["rule"] == "delift_score_answers"
    }
    assert measured == kinds
    learnt = {
        Path(job["output"].split(", ")[0]).parent.name for job in found if job["rule"].endswith("evaluate_subsets")
    }
    assert learnt == learnings
    judged = any("prometheus" in job.get("output", "") for job in found)
    assert judged == ("grades" in kinds)


def test_a_figure_of_three_methods_scores_the_pool_for_these_alone(jobs: list[dict[str, str]]) -> None:
    found = [job for job in behind(jobs, "figure_stages", "delift") if job["rule"] == "delift_select_subset"]
    chosen = {Path(job["output"].split(", ")[0]).name for job in found}
    assert chosen == {"random", "delift", "full"}


def test_a_table_of_one_benchmark_asks_no_other(jobs: list[dict[str, str]]) -> None:
    assert not any("alpaca_eval" in job.get("output", "") for job in behind(jobs, "table_2"))
    assert not any("mt_bench" in job.get("output", "") for job in behind(jobs, "table_1"))
    trained = [job for job in behind(jobs, "table_2") if job["rule"] == "nuggets_train_model"]
    assert len(trained) == 5  # six rows, of which one is the model as it is


@pytest.mark.parametrize("artifact", FETCHED)
def test_an_artifact_of_ddg_fetches_its_own_data_and_models(jobs: list[dict[str, str]], artifact: str) -> None:
    found = behind(jobs, artifact, "ddg")
    models = {Path(job["output"].split(", ")[0]).name for job in found if job["rule"] == "models_download"}
    prepared = [job["output"].split(", ")[0] for job in found if job["rule"] == "data_prepare_examples"]
    assert ({Path(path).parent.name.replace("glue_", "") for path in prepared}, models) == FETCHED[artifact]


@pytest.mark.parametrize(
    ("artifact", "trained"),
    [("table_2", 70), ("table_3", 1), ("table_4", 6), ("figure_4", 5), ("figure_5", 1), ("figure_lambda", 5)],
)
def test_only_the_distillers_that_are_shown_are_trained(
    jobs: list[dict[str, str]], artifact: str, trained: int
) -> None:
    """Two for each of five models and seven settings in the main table; one model and one setting elsewhere."""
    found = [job["output"] for job in behind(jobs, artifact, "mend") if job["rule"] == "mend_train_distiller"]
    assert len(found) == trained
    if artifact != "table_2":
        assert all("/gpt2_large/class_to_class/" in output for output in found)


def test_what_is_about_one_task_reads_one_task(jobs: list[dict[str, str]]) -> None:
    found = [job for job in behind(jobs, "figure_3", "mend") if job["rule"] == "data_rebuild_task"]
    assert len(found) == 1
