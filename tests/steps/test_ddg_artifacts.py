"""DDG's last steps on made-up runs: the measured values, the tables, the figures."""

from __future__ import annotations

import json

import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_csv, read_json, write_json
from scripts.common.metrics import PUBLISHED_COLUMNS, read_merged
from scripts.common.tables import read_markdown_table
from scripts.ddg import (
    measure_averages,
    measure_differences,
    plot_sensitivity,
    plot_training,
    tabulate_artifact,
    tabulate_examples,
)
from scripts.ddg.distilled import TextSet, set_path, write_set
from scripts.ddg.job_settings import averages, differences
from tests.unit.ddg_results import flags, jobs_and_files, place, plan, rows_of, written

PUBLISHED = "ddg,table_1 table_7,learners,sst2/dpc_5,bert_base,dilm,score_percent,72.5,5.9,paper,somebody's table\n"
LEARNERS, CONTEXT, DILM = "learners", "in_context/longicl", "in_context/dilm"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    written(folder)
    (folder / "published.csv").write_text(",".join(PUBLISHED_COLUMNS) + "\n" + PUBLISHED)
    return folder


def values(folder, experiment, setting, method, given=None, **wanted):
    asked = {"experiment": experiment, "setting": setting, "method": method, "model": "bert_base", **wanted}
    rows = read_merged(place(folder, path) for path in (given or plan()).measured())
    found = [row for row in rows if row["value"] and all(row[key] == value for key, value in asked.items())]
    return {int(row["seed"]): float(row["value"]) for row in found}


def table(folder, name, given=None):
    tabulate_artifact.main(flags(folder, given or plan(), name))
    return rows_of(folder, name), read_markdown_table(folder / f"{name}.md")


def test_a_seeds_value_is_the_mean_over_its_sets(results):
    found = values(results, LEARNERS, "sst2/dpc_5", "dilm")
    assert found == pytest.approx({0: 80.05, 1: 81.05, 2: 82.05})
    assert values(results, LEARNERS, "sst2/full", "full")[0] == pytest.approx(95.0)


def test_with_one_seed_every_set_counts(tmp_path):
    given = written(tmp_path, plan(seeds=[0]))
    found = values(tmp_path, LEARNERS, "sst2/dpc_5", "dilm", given)
    assert len(found) == 6  # the made-up runs have three seeds: each of their two sets is a value


def test_differences_are_paired_over_seeds(results):
    found = values(results, LEARNERS, "sst2/dpc_2", "dilm-random", metric="difference_percent")
    assert found == pytest.approx({0: 30.0, 1: 30.0, 2: 30.0})
    rows, _ = table(results, "table_paired")
    assert float(rows[0]["value_mean"]) == pytest.approx(30.0)
    assert float(rows[0]["low"]) == pytest.approx(30.0)


def test_rounds_and_scorers_keep_apart(results):
    model = {"model": "gpt2_xl"}
    assert values(results, CONTEXT, "sst2/round_1/labels", "dilm", **model)[0] == pytest.approx(70.0)
    assert values(results, CONTEXT, "average/round_2/labels", "dilm", **model)[2] == pytest.approx(82.0)
    assert values(results, CONTEXT, "average/round_0/labels", "zero_shot", **model) == pytest.approx({0: 10.0})
    assert values(results, DILM, "sst2/round_2/first_token", "random", **model)[0] == pytest.approx(50.0)
    assert values(results, DILM, "sst2/round_1/first_token", "random", **model) == {}  # table_3 asks one round


def test_the_mean_over_tasks_takes_each_task_once(tmp_path):
    tasks = {"tasks": ["sst2", "many"], "methods": ["zero_shot", "random"], "protocol": "longicl", "round": 2}
    given = written(tmp_path, plan(table_main=tasks))
    job = next(job for job in given.context_jobs if job[0] == "many" and "random" in job[2])
    path = tmp_path / "in_context" / f"{'/'.join(job)}.csv"
    lines = path.read_text().replace(",0.5,0.1,", ",0.9,0.1,")  # seed 0, round 2: 50 % and 90 %
    path.write_text(lines)
    files = jobs_and_files(tmp_path, "jobs", "runs", "in_context", given.jobs_of("table_main")[1])
    out = ["--measured-out", str(tmp_path / "again.csv")]
    measure_averages.main([*files, "--settings", json.dumps(averages(given)), *out])
    rows = [r for r in read_csv(tmp_path / "again.csv") if r["method"] == "random" and r["seed"] == "0"]
    assert {(row["setting"], row["value"], row["n"]) for row in rows} == {
        ("average/round_2/generate", "70", "2"),
        ("average/round_2/labels", "70", "2"),
    }


def test_published_values_stand_beside_ours(results):
    rows, shown = table(results, "table_1")
    by_method = {row["method"]: row for row in rows}
    dilm = by_method["DiLM, DDG as released (no teacher)"]
    assert float(dilm["sst2/dpc_5_mean"]) == pytest.approx(81.05)
    assert dilm["sst2/dpc_5_published"] == "72.5"
    assert float(by_method["full data"]["sst2/dpc_2_mean"]) == pytest.approx(95.0)
    assert "somebody's table" in " ".join(shown.notes)


def test_values_of_the_only_printed_learner_stand_beside_those_of_another(tmp_path):
    given = written(tmp_path, plan(learner="roberta_base"))
    (tmp_path / "published.csv").write_text(",".join(PUBLISHED_COLUMNS) + "\n" + PUBLISHED)
    rows, shown = table(tmp_path, "table_1", given)
    assert {row["model"] for row in rows} == {"roberta_base"}
    by_method = {row["method"]: row for row in rows}
    assert by_method["DiLM, DDG as released (no teacher)"]["sst2/dpc_5_published"] == "72.5"
    assert "Published values are of bert_base, ours of roberta_base" in " ".join(shown.notes)


@pytest.mark.parametrize("name", sorted(tabulate_artifact.TABLES))
def test_no_table_lacks_a_cell_that_could_be_measured(results, name):
    rows, shown = table(results, name)
    assert rows
    assert "Not run" not in " ".join(shown.notes)


@pytest.mark.parametrize("name", sorted(tabulate_artifact.TABLES))
def test_every_table_says_why_a_cell_is_missing(tmp_path, name):
    """The test texts of one task cannot be had, nor one learner; the rest of each table is there."""
    absent = {"banking77/test": "the mirror has no test.csv", "roberta_base": "this machine has no folder roberta"}
    given = written(tmp_path, plan(absent=absent))
    rows, shown = table(tmp_path, name, given)
    said = " ".join(shown.notes)
    assert ("The mirror has no test.csv." in said) == (name == "table_long")
    assert ("This machine has no folder roberta." in said) == (name in ("table_2", "table_7", "table_8"))
    assert "Not run" not in said
    assert any(row[key] for row in rows for key in row if key.endswith("_mean")) == (name != "table_long")


def test_a_round_for_which_nothing_is_retrieved_says_so(tmp_path):
    given = plan(table_long={"tasks": ["many"], "methods": ["knn"]})
    given.ddg["in_context"]["retrieval_rounds"] = [2]
    written(tmp_path, given)
    for job in (job for job in given.context_jobs if job[2].endswith("-knn")):
        path = tmp_path / "measured" / "in_context" / f"{'/'.join(job)}.csv"
        path.write_text("\n".join(line for line in path.read_text().splitlines() if "round_1" not in line) + "\n")
    rows, shown = table(tmp_path, "table_long", given)
    assert {row["round_1_mean"] for row in rows} == {""}
    assert all(row["round_2_mean"] for row in rows)
    assert "Demonstrations are retrieved in the rounds of ddg.in_context.retrieval_rounds only." in shown.notes[-2]


def test_figures_come_with_their_numbers(results):
    plot_sensitivity.main(flags(results, plan(), "figure_sensitivity"))
    rows = rows_of(results, "figure_sensitivity")
    decay = {row["x"]: float(row["mean"]) for row in rows if row["panel"] == "decay"}
    assert decay == pytest.approx({"0": 81.05, "0.99": 81.05})
    assert "temperature" not in {row["panel"] for row in rows}  # one value: nothing varies
    plot_training.main(training_flags(results, plan(), ["dilm", "ddg"]))
    rows = rows_of(results, "figure_training")
    assert {row["panel"] for row in rows} == {"cosine", "real_loss", "distinct_2"}
    assert all(row["n"] == "3" for row in rows)
    for name in ("sensitivity", "training"):
        assert (results / f"figure_{name}.png").stat().st_size > 5000


def training_flags(folder, given, names):
    return [*flags(folder, given, "figure_training"), "--histories", *(str(folder / f"{name}.json") for name in names)]


def test_a_variant_without_gradient_matching_has_no_cosine(results, tmp_path):
    given = written(tmp_path, plan(figure_training={"task": "sst2", "variants": ["dilm", "ddg"]}))
    history = read_json(results / "dilm.json")
    for one in history["seeds"]:
        one["steps"] = [{"lm_loss": 1.0} for _ in one["steps"]]
    write_json(tmp_path / "dilm.json", history)
    for variants in (["dilm"], ["dilm", "ddg"]):
        given = plan(figure_training={"task": "sst2", "variants": variants})
        plot_training.main(training_flags(tmp_path, given, variants))
        found = {row["variant"] for row in rows_of(tmp_path, "figure_training") if row["panel"] == "cosine"}
        assert found == set(variants) - {"dilm"}


def test_a_training_that_cannot_be_had_leaves_a_figure_that_says_why(tmp_path):
    given = written(tmp_path, plan(absent={"gpt2": "no way to gpt2"}))
    plot_training.main([*flags(tmp_path, given, "figure_training"), "--histories"])
    rows = rows_of(tmp_path, "figure_training")
    assert {(row["variant"], row["note"]) for row in rows} == {(v, "No way to gpt2.") for v in ("dilm", "ddg")}
    with pytest.raises(UserError, match="--histories: 1 for 0 variants"):
        plot_training.main(training_flags(tmp_path, given, ["dilm"]))


def test_examples_are_the_first_texts_of_each_class(tmp_path):
    texts = TextSet(("text",), (("b one",), ("b two",), ("b three",), ("a one",)), (1, 1, 1, 0))
    write_set(set_path(tmp_path / "sets", 0, 5, 0), texts)
    given = written(tmp_path)
    tabulate_examples.main([*flags(tmp_path, given, "table_examples"), "--sets", str(tmp_path / "sets")])
    found = [(row["label"], row["text"]) for row in rows_of(tmp_path, "table_examples")]
    assert found == [("negative", "a one"), ("positive", "b one"), ("positive", "b two")]


def test_examples_of_a_task_out_of_reach_are_a_reason(tmp_path):
    given = written(tmp_path, plan(absent={"glue_sst2/train": "the mirror has no train.tsv"}))
    tabulate_examples.main([*flags(tmp_path, given, "table_examples"), "--sets"])
    assert [row["note"] for row in rows_of(tmp_path, "table_examples")] == ["text: The mirror has no train.tsv."]


def test_jobs_and_files_must_match(tmp_path):
    given = written(tmp_path)
    learners, prompts = given.jobs_of("table_paired")
    told = ["--settings", json.dumps(differences(given)), "--measured-out", str(tmp_path / "x.csv")]
    files = jobs_and_files(tmp_path, "learner-jobs", "learners", "learners", learners)
    asked = jobs_and_files(tmp_path, "context-jobs", "contexts", "in_context", prompts)
    with pytest.raises(UserError, match=f"--context-jobs: {len(prompts) - 1} files for {len(prompts)} jobs"):
        measure_differences.main([*files, *asked[:-1], *told])
    asked[1] = "sst2"
    with pytest.raises(UserError, match="--context-jobs: 'sst2' is not of the form TASK/MODEL"):
        measure_differences.main([*files, *asked, *told])
