"""DDG's last steps on made-up runs: the long metrics, the tables, the figures."""

from __future__ import annotations

import json

import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_csv, read_json, write_json
from scripts.common.metrics import PUBLISHED_COLUMNS, read_metrics
from scripts.common.tables import read_markdown_table
from scripts.ddg import (
    collect_metrics,
    plot_sensitivity,
    plot_training,
    tabulate_artifact,
    tabulate_examples,
)
from scripts.ddg.distilled import TextSet, set_path, write_set
from tests.unit.ddg_results import SETTINGS, written

PUBLISHED = "ddg,table_1,table_1,sst2/dpc_5,bert_base,dilm,score_percent,72.5,5.9,paper,somebody's table\n"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    collect_metrics.main(written(folder))
    (folder / "published.csv").write_text(",".join(PUBLISHED_COLUMNS) + "\n" + PUBLISHED)
    return folder


def values(folder, **wanted):
    rows = read_metrics(folder / "metrics.csv")
    found = [row for row in rows if all(row[key] == value for key, value in wanted.items())]
    return {int(row["seed"]): float(row["value"]) for row in found}


def outputs(folder, name, kinds):
    return [part for kind in kinds for part in (f"--{kind}-out", str(folder / f"{name}.{kind}"))]


def table(folder, name, settings=SETTINGS):
    tabulate_artifact.main(
        [
            *("--artifact", name, "--settings", json.dumps(settings), "--tier", "mini"),
            *("--metrics", str(folder / "metrics.csv"), "--notes", str(folder / "notes.csv")),
            *("--published", str(folder / "published.csv"), *outputs(folder, name, ("csv", "md", "tex"))),
        ]
    )
    return read_csv(folder / f"{name}.csv"), read_markdown_table(folder / f"{name}.md")


def test_a_seeds_value_is_the_mean_over_its_sets(results):
    found = values(results, experiment="table_1", setting="sst2/dpc_5", method="dilm")
    assert found == pytest.approx({0: 80.05, 1: 81.05, 2: 82.05})
    assert values(results, experiment="table_1", setting="sst2/full", method="full")[0] == pytest.approx(95.0)


def test_with_one_seed_every_set_counts(tmp_path):
    collect_metrics.main(written(tmp_path, seeds=[0]))
    found = values(tmp_path, experiment="table_1", setting="sst2/dpc_5", method="dilm")
    assert len(found) == 6  # the made-up runs have three seeds: each of their two sets is a value


def test_differences_are_paired_over_seeds(results):
    found = values(results, experiment="table_paired", setting="sst2/dpc_2", method="dilm-random")
    assert found == pytest.approx({0: 30.0, 1: 30.0, 2: 30.0})
    rows, _ = table(results, "table_paired")
    assert float(rows[0]["value_mean"]) == pytest.approx(30.0)
    assert float(rows[0]["low"]) == pytest.approx(30.0)


def test_rounds_and_scorers_keep_apart(results):
    assert values(results, experiment="figure_sensitivity", setting="round_1", method="dilm")[0] == pytest.approx(70.0)
    assert values(results, experiment="table_main", setting="average/labels", method="dilm")[2] == pytest.approx(82.0)
    assert values(results, experiment="table_3", setting="sst2/round_2", method="random")[0] == pytest.approx(50.0)


def test_published_values_stand_beside_ours(results):
    rows, shown = table(results, "table_1")
    by_method = {row["method"]: row for row in rows}
    dilm = by_method["DiLM, DDG as released (no teacher)"]
    assert float(dilm["sst2/dpc_5_mean"]) == pytest.approx(81.05)
    assert dilm["sst2/dpc_5_published"] == "72.5"
    assert float(by_method["full data"]["sst2/dpc_2_mean"]) == pytest.approx(95.0)
    assert "somebody's table" in " ".join(shown.notes)


@pytest.mark.parametrize("name", sorted(tabulate_artifact.TABLES))
def test_every_table_says_why_a_cell_is_missing(results, name):
    rows, shown = table(results, name)
    assert rows
    unmeasured = ("table_2", "table_7", "table_8", "table_long", "table_ablation")  # the made-up runs lack some methods
    assert ("Not run in this tier." in " ".join(shown.notes)) == (name in unmeasured)


def test_figures_come_with_their_numbers(results):
    plot_sensitivity.main(
        [
            *("--settings", json.dumps(SETTINGS), "--tier", "mini", "--metrics", str(results / "metrics.csv")),
            *("--notes", str(results / "notes.csv"), "--published", str(results / "published.csv")),
            *outputs(results, "sensitivity", ("pdf", "png", "csv")),
        ]
    )
    rows = read_csv(results / "sensitivity.csv")
    decay = {row["x"]: float(row["mean"]) for row in rows if row["panel"] == "decay"}
    assert decay == pytest.approx({"0": 81.05, "0.99": 81.05})
    assert "temperature" not in {row["panel"] for row in rows}  # one value: nothing varies
    plot_training.main(
        [
            *("--histories", str(results / "dilm.json"), str(results / "ddg.json"), "--variants", "dilm", "ddg"),
            *("--tier", "mini", *outputs(results, "training", ("pdf", "png", "csv"))),
        ]
    )
    rows = read_csv(results / "training.csv")
    assert {row["panel"] for row in rows} == {"cosine", "real_loss", "distinct_2"}
    assert all(row["n"] == "3" for row in rows)
    for name in ("sensitivity", "training"):
        assert (results / f"{name}.png").stat().st_size > 5000


def test_a_variant_without_gradient_matching_has_no_cosine(results, tmp_path):
    history = read_json(results / "dilm.json")
    for one in history["seeds"]:
        one["steps"] = [{"lm_loss": 1.0} for _ in one["steps"]]
    write_json(tmp_path / "lm.json", history)
    for variants in (["lm"], ["lm", "ddg"]):
        paths = {"lm": tmp_path / "lm.json", "ddg": results / "ddg.json"}
        plot_training.main(
            [
                *("--histories", *(str(paths[name]) for name in variants), "--variants", *variants),
                *("--tier", "mini", *outputs(tmp_path, "training", ("pdf", "png", "csv"))),
            ]
        )
        found = {row["variant"] for row in read_csv(tmp_path / "training.csv") if row["panel"] == "cosine"}
        assert found == set(variants) - {"lm"}


def test_examples_are_the_first_texts_of_each_class(tmp_path):
    texts = TextSet(("text",), (("b one",), ("b two",), ("b three",), ("a one",)), (1, 1, 1, 0))
    write_set(set_path(tmp_path / "sets", 0, 3, 0), texts)
    given = ["--sets", str(tmp_path / "sets"), "--method", "ddg", "--seed", "0", "--dpc", "3", "--texts", "2"]
    given += ["--labels", '[["a", "b"]]']
    tabulate_examples.main([*given, "--titles", "T", "--tier", "mini", *outputs(tmp_path, "x", ("csv", "md", "tex"))])
    found = [(row["label"], row["text"]) for row in read_csv(tmp_path / "x.csv")]
    assert found == [("a", "a one"), ("b", "b one"), ("b", "b two")]


def test_jobs_and_files_must_match(tmp_path):
    given = written(tmp_path)
    given.remove(str(tmp_path / "contexts_1.csv"))
    with pytest.raises(UserError, match="--context-jobs: 1 files for 2 jobs"):
        collect_metrics.main(given)
    given = written(tmp_path)
    given[given.index("--context-jobs") + 1] = "sst2"
    with pytest.raises(UserError, match="--context-jobs: 'sst2' is not of the form TASK/MODEL"):
        collect_metrics.main(given)
