"""What NUGGETS plans: runs and jobs, what each table and figure is made from, and what is read for it."""

from __future__ import annotations

import copy

import pytest
import yaml

from scripts.common.errors import UserError
from scripts.data.registry import load_registry
from scripts.nuggets.artifacts import ARTIFACTS
from scripts.nuggets.plan import Plan, Run
from tests.unit.nuggets_eval import plan
from tests.workspace import REPO_ROOT

MEASURED = {
    "table_1": {"judged/alpaca_eval", "subsets"},
    "table_2": {"judged/mt_bench"},
    "table_3": {"judged/alpaca_eval", "subsets"},
    "table_baselines": {"judged/alpaca_eval", "judged/mt_bench", "likelihood/alpaca_eval", "subsets"},
    "table_selection_quality": {"quality"},
    "table_racing": {"racing"},
    "table_released": {"released"},
    "table_released_counts": {"released_scores/alpaca_gpt4_bad_scores.csv"},
    "table_cases": {"golden_scores"},
    "figure_scores": {"golden_scores"},
    "figure_released": {"released"},
    "figure_pairwise": {"judged/pairwise"},
    "figure_cases": set(),
    "figure_selection_quality": {"judged/alpaca_eval", "quality"},
    "figure_anchor_sizes": {"anchor_sizes"},
}
"""The kinds of measured values that each artifact is made from; subsets come with training, judged with a judge."""
FILES = {
    "table_cases": {"sorted-pool": "scores"},
    "figure_scores": {"scores": "scores"},
    "figure_cases": {"cases": "tables"},
    "figure_selection_quality": {"roc": "roc"},
}
"""Further files: {flag: folder in which the file lies}."""


def read(name: str) -> dict:
    return yaml.safe_load((REPO_ROOT / "config" / name).read_text(encoding="utf-8"))


def paper_plan(**changes) -> Plan:
    """Return the plan of the paper's own settings; changes: keys of `nuggets`."""
    nuggets = read("papers/nuggets.yaml")["nuggets"]
    return Plan.of({"nuggets": {**nuggets, **changes}, "data": {"seed": 0}})


def kinds(needs) -> set[str]:
    """Return the kinds of measured values: the folders below `measured`, without pool and model."""
    return {path.partition("/measured/")[2].partition("/alpaca_gpt4/")[0] for path in needs.measured}


def test_the_tables_name_every_artifact():
    assert list(MEASURED) == [artifact.name for artifact in ARTIFACTS]


@pytest.mark.parametrize("artifact", MEASURED)
def test_each_artifact_is_made_from_what_it_shows_and_from_nothing_else(artifact):
    needs = paper_plan().needs(artifact)
    assert kinds(needs) == MEASURED[artifact]
    folders = {flag: path.replace("<results>/", "").removeprefix("nuggets/") for flag, path in needs.files.items()}
    assert {flag: path.partition("/")[0] for flag, path in folders.items()} == FILES.get(artifact, {})


@pytest.mark.parametrize(
    ("artifact", "judged", "trained"),
    [("table_1", 6, 5), ("table_2", 6, 0), ("table_3", 21, 21), ("table_baselines", 18, 8), ("figure_pairwise", 5, 0)],
)
def test_one_run_a_job_means_that_an_artifact_has_exactly_its_own(artifact, judged, trained):
    files = paper_plan().needs(artifact).measured
    assert sum("/judged/" in path for path in files) == judged
    assert sum("/subsets/" in path for path in files) == trained
    assert len(set(files)) == len(files)


def test_a_method_without_scores_has_one_run_whatever_the_anchor_set():
    shown = plan(table_3={"anchor_sets": ["kmeans_4", "random_4"], "methods": ["full", "gt_0.5"]})
    assert shown.runs("table_3") == [Run("unscored", "full"), Run("kmeans_4", "gt_0.5"), Run("random_4", "gt_0.5")]


def test_an_artifact_may_have_an_anchor_set_of_its_own():
    shown = plan(table_1={"anchors": "random_4", "methods": ["base", "gt_0.5"]})
    assert shown.runs("table_1") == [Run("unscored", "base"), Run("random_4", "gt_0.5")]
    assert shown.settings("table_1")["anchors"] == "random_4"
    assert shown.settings("table_2")["anchors"] == "kmeans_4"
    scores = plan(figure_scores={"anchors": "random_4", "thresholds": [0.5]}).needs("figure_scores")
    assert scores.files["scores"].endswith("/pool/tiny/random_4/scores.csv")


def test_jobs_hold_the_runs_of_one_artifact_side_by_side():
    shown = plan(runs_per_job=2, table_3={"anchor_sets": ["random_4"], "methods": ["gt_0.5"]})
    names = [run.name for run in shown.all_runs()]
    assert names == ["unscored/base", "unscored/full", "kmeans_4/gt_0.5", "kmeans_4/gt_0.9", "random_4/gt_0.5"]
    assert [shown.start(run) for run in shown.all_runs()] == [0, 0, 2, 2, 4]
    assert [run.method for run in shown.trained_in(0)] == ["full"]
    assert {path.rpartition("_")[2] for path in shown.needs("table_3").measured} == {"4.csv"}


def test_pairs_are_compared_with_the_reference_only():
    shown = plan()
    assert shown.reference() == Run("unscored", "full")
    assert shown.reference() not in shown.judged("pairwise")
    (job,) = [shown.start(run) for run in shown.judged("pairwise") if run.method == "gt_0.5"]
    assert [run.method for run in shown.with_reference("pairwise", job)] == ["gt_0.5", "full"]


def test_a_benchmark_is_answered_by_those_alone_whose_answers_are_judged():
    shown = plan(
        table_2={"anchors": None, "methods": ["base"]},
        table_baselines={"methods": ["full"]},
        figure_pairwise={"anchors": None, "reference": "gt_0.9", "methods": ["gt_0.5"]},
        table_1={"anchors": None, "methods": ["base"]},
    )
    assert [run.method for run in shown.answered("mt_bench")] == ["base", "full"]
    assert [run.method for run in shown.answered("alpaca_eval")] == ["base", "full", "gt_0.5", "gt_0.9"]


def test_what_is_measured_is_what_is_shown_and_its_by_products():
    shown = plan()
    files = shown.measured()
    assert len(set(files)) == len(files)
    assert set(files) >= {path for artifact in ARTIFACTS for path in shown.needs(artifact.name).measured}
    further = {path for path in files if not any(path in shown.needs(artifact.name).measured for artifact in ARTIFACTS)}
    assert {path.partition("/measured/")[2].partition("/pool/")[0] for path in further} == {"likelihood/mt_bench"}


def test_only_what_is_asked_is_read():
    datasets = load_registry("datasets", folder=REPO_ROOT / "config")
    raw = dict(paper_plan().raw_files(datasets))
    assert {"alpaca_gpt4", "alpaca_eval", "mt_bench", "alpaca_gpt4_bad_scores"} <= set(raw)
    none = {"anchors": None, "methods": []}
    quiet = paper_plan(table_2=none, table_baselines={"methods": []})
    assert "mt_bench" not in dict(quiet.raw_files(datasets))
    assert quiet.models() == ["llama_7b"]  # the judge is at an endpoint
    local = copy.deepcopy(read("papers/nuggets.yaml")["nuggets"]["judge"]) | {"backend": "local", "model": "judge"}
    assert paper_plan(judge=local).models() == ["llama_7b", "judge"]
    nobody = {"reference": "full", "methods": [], "anchors": None}
    unasked = paper_plan(judge=local, table_1=none, table_2=none, table_3={"anchor_sets": [], "methods": []},
                         table_baselines={"methods": []}, figure_pairwise=nobody)  # fmt: skip
    assert unasked.needs("table_1").measured == ()


def test_shards_cover_the_pool_and_no_other_data_set():
    assert list(plan().shards("pool")) == [0, 4, 8]
    assert list(plan(limit=5).shards("pool")) == [0, 4]
    assert plan(limit=5).pool("pool").examples.endswith("/pool/train_sample_5.jsonl")
    with pytest.raises(UserError, match="the size of 'other' is not known"):
        plan().shards("other")


def test_no_released_scores_means_nothing_to_read():
    assert plan().needs("table_released_counts").measured == ()


def test_settings_hold_only_what_the_artifact_shows():
    shown = plan()
    assert shown.settings("table_racing")["show"] == {"thresholds": [0.25, 0.5]}
    assert shown.settings("table_1")["scored"] == ["gt_0.5", "gt_0.9"]
    before, after = plan(), plan(table_racing={"thresholds": [0.9]})
    changed = [a.name for a in ARTIFACTS if before.settings(a.name) != after.settings(a.name)]
    assert changed == ["table_racing"]


def test_difficulty_is_ordered_as_the_methods_choose():
    assert plan().orders() == {"perplexity": "lowest", "ifd": "highest", "length": "highest"}


def test_a_list_of_bad_rows_marks_the_pool():
    marked = paper_plan(truth="alpaca_gpt4_bad", truth_form="bad_rows", truth_scores="alpaca_gpt4_bad_scores")
    assert marked.pool("alpaca_gpt4").examples == "<results>/nuggets/pools/alpaca_gpt4/pool.jsonl"
    assert marked.pool("other").examples == "<results>/data/examples/other/train.jsonl"
    assert marked.truth() == "<results>/nuggets/pools/alpaca_gpt4/truth.jsonl"
    assert set(marked.needs("figure_released").files) == {"scores", "truth", "released"}
    read_files = marked.raw_files(load_registry("datasets", folder=REPO_ROOT / "config"))
    assert {("alpaca_gpt4_bad", "train"), ("alpaca_gpt4_bad_scores", "train")} <= set(read_files)


def test_rows_set_aside_are_no_part_of_the_pool():
    set_aside = {"truth": "alpaca_gpt4_bad", "truth_form": "bad_rows", "sample": {"even": False, "held_out": 2}}
    marked = paper_plan(**set_aside, benchmarks={"alpaca_eval": None, "mt_bench": "mt_bench"})
    assert marked.pool("alpaca_gpt4").rows == 52_000
    assert marked.questions("alpaca_eval") == "<results>/nuggets/pools/alpaca_gpt4/held_out.jsonl"
    with pytest.raises(UserError, match="nuggets.benchmarks.alpaca_eval: is null, but no rows are set aside"):
        paper_plan(benchmarks={"alpaca_eval": None, "mt_bench": "mt_bench"}).questions("alpaca_eval")
