"""MEND's last steps on made-up results: the long metrics, the tables, the figures."""

from __future__ import annotations

import json

import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_csv, write_csv
from scripts.common.metrics import PUBLISHED_COLUMNS, read_metrics, write_metrics
from scripts.common.spread import spread
from scripts.common.tables import read_markdown_table
from scripts.mend import (
    measure_average,
    plot_attention,
    plot_efficiency,
    plot_lambda,
    plot_ratio,
    plot_timing,
    tabulate_artifact,
)
from scripts.mend.columns import SCORE_COLUMNS
from scripts.report import list_missing
from tests.unit.mend_results import all_scores, artifact_flags, plan, score_settings, written

PUBLISHED = "mend,table_2,scores,seen,gpt2_large,icl,score_percent,43.5,,paper,somebody's table\n"
TABLES = ["table_2", "table_3", "table_4", "table_5", "table_efficiency", "table_separators", "table_unseen_labels"]
TABLES.append("table_paired")
FIGURES = {
    "figure_3": plot_efficiency,
    "figure_4": plot_ratio,
    "figure_5": plot_attention,
    "figure_lambda": plot_lambda,
    "figure_timing": plot_timing,
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = written(tmp_path_factory.mktemp("results"))
    (folder / "published.csv").write_text(",".join(PUBLISHED_COLUMNS) + "\n" + PUBLISHED)
    return folder


def rows_of(folder):
    return [row for path in sorted((folder / "mend" / "measured").rglob("*.csv")) for row in read_metrics(path)]


def values(folder, **wanted):
    found = [row for row in rows_of(folder) if row["value"] and all(row[key] == w for key, w in wanted.items())]
    return {int(row["seed"]): float(row["value"]) for row in found}


def test_scores_are_means_over_the_tasks_of_a_setting(results):
    found = values(results, experiment="scores", setting="seen", method="icl", metric="score_percent")
    assert found == pytest.approx({13: 85.0, 21: 86.0, 42: 87.0})
    assert values(results, experiment="scores", setting="unseen", method="icl")[13] == pytest.approx(70.0)
    average = values(results, experiment="scores", setting="average", method="icl")
    assert average[13] == pytest.approx((85.0 + 70.0) / 2)


def test_each_condition_is_an_experiment_and_the_usual_one_is_measured_once(results):
    wrong = values(results, experiment="perturbed_demonstrations", setting="seen/wrong_label", method="mend")
    assert wrong[13] == pytest.approx(45.0)
    joined = values(results, experiment="formats", setting="seen/metaicl", method="icl", metric="score_percent")
    assert joined[13] == pytest.approx(75.0)
    assert values(results, setting="seen", method="kl_only", metric="score_percent")[13] == pytest.approx(60)
    usual = [row for row in rows_of(results) if (row["setting"], row["method"], row["seed"]) == ("seen", "mend", "13")]
    assert [row["metric"] for row in usual].count("score_percent") == 1


def test_ratio_is_demonstration_tokens_over_vectors(results):
    few = {"experiment": "numbers_of_demonstrations", "setting": "seen/k_4", "metric": "distillation_ratio"}
    assert set(values(results, method="mend", **few).values()) == {40 / 8}
    found = values(results, experiment="scores", setting="seen", method="vectors_2", metric="distillation_ratio")
    assert set(found.values()) == {160 / 2}
    assert not values(results, method="icl", **few)


def test_accuracy_on_unseen_labels_counts_queries_not_tasks(results):
    found = values(results, experiment="numbers_of_demonstrations", setting="seen/k_2", method="icl",
                   metric="accuracy_unseen_labels")  # fmt: skip
    assert found[13] == pytest.approx((0.1 * 10 + 0.3 * 30) / 40)


def test_demonstrations_that_show_every_label_are_a_reason(tmp_path):
    scores = all_scores()
    kept = [row for row in scores["robustness"] if row["metric"] != "accuracy_unseen_labels"]
    written(tmp_path, {**scores, "robustness": kept})
    told = {(r["experiment"], r["setting"], r["metric"], r["reason"]) for r in rows_of(tmp_path) if r["reason"]}
    reason = "no query of this kind: the demonstrations show every label"
    assert told == {
        ("numbers_of_demonstrations", f"{name}/k_2", "accuracy_unseen_labels", reason) for name in ("seen", "unseen")
    }
    (tmp_path / "published.csv").write_text(",".join(PUBLISHED_COLUMNS) + "\n")
    rows, _ = table(tmp_path, "table_unseen_labels", tmp_path)
    assert {row["seen_mean"] for row in rows} == {"0.9"}
    assert all("the demonstrations show every label" in row["note"] for row in rows)


def test_a_seed_without_all_tasks_is_left_out(tmp_path):
    scores = all_scores()
    main = [row for row in scores["main"] if (row["task"], row["seed"], row["method"]) != ("b", 21, "icl")]
    written(tmp_path, {**scores, "main": main})
    assert set(values(tmp_path, experiment="scores", setting="seen", method="icl")) == {13, 42}
    assert set(values(tmp_path, experiment="scores", setting="average", method="icl")) == {13, 42}


def test_an_average_asks_for_every_setting(tmp_path):
    write_csv(tmp_path / "scores.csv", all_scores()["main"], SCORE_COLUMNS)
    flags = ["--scores", f"icl/seen={tmp_path / 'scores.csv'}", "--settings", score_settings(), "--measured-out", "x"]
    with pytest.raises(UserError, match="--scores: no file is named icl/unseen"):
        measure_average.main(flags)


def test_what_cannot_be_had_is_shown_with_its_reason(results, tmp_path):
    absent = plan(absent={"texts/train": "texts is named in data.left_out"})
    target = str(tmp_path / "missing.csv")
    list_missing.main(["--paper", "mend", "--reasons", json.dumps(absent.reasons()), "--measured-out", target])
    (tmp_path / "published.csv").write_text(",".join(PUBLISHED_COLUMNS) + "\n")
    files = [
        path.replace("<results>/mend/measured/missing.csv", target).replace("<results>", str(results))
        for path in absent.needs("table_2").measured
    ]
    outputs = [part for kind in ("csv", "md", "tex") for part in (f"--{kind}-out", str(tmp_path / f"table.{kind}"))]
    given = ["--artifact", "table_2", "--measured", *files, "--published", str(tmp_path / "published.csv")]
    settings = json.dumps(absent.settings("table_2"))
    main = [row for row in read_metrics(files[0]) if row["method"] != "mend"]
    write_metrics(tmp_path / "kept.csv", main)  # a job of this plan scores no distiller
    given[given.index(files[0])] = str(tmp_path / "kept.csv")
    average = [row for row in read_metrics(files[1]) if row["method"] != "mend"]
    write_metrics(tmp_path / "average.csv", average)
    given[given.index(files[1])] = str(tmp_path / "average.csv")
    tabulate_artifact.main([*given, "--settings", settings, "--tier", "mini", *outputs])
    rows = read_csv(tmp_path / "table.csv")
    assert [row["method"] for row in rows if row["note"]] == ["MEND"]
    assert "Texts is named in data.left_out." in rows[-1]["note"]
    assert float(rows[0]["average_mean"]) > 0


def flags(folder, name, kinds, out):
    given = [*artifact_flags(folder, name), "--published", str(folder / "published.csv")]
    for kind in kinds:
        given += [f"--{kind}-out", str(out / f"{name}.{kind}")]
    return given


def table(folder, name, out):
    tabulate_artifact.main(flags(folder, name, ("csv", "md", "tex"), out))
    return read_csv(out / f"{name}.csv"), read_markdown_table(out / f"{name}.md")


def test_main_table(results, tmp_path):
    rows, printed = table(results, "table_2", tmp_path)
    assert [row["method"] for row in rows] == ["zero-shot", "in-context learning", "MEND"]
    assert float(rows[1]["seen_mean"]) == pytest.approx(86.0)
    assert float(rows[1]["seen_std"]) == pytest.approx(1.0)
    assert rows[1]["seen_published"] == "43.5"
    assert "86.0 ± 1.0" in printed.rows[1]
    assert any("somebody's table" in note for note in printed.notes)


def test_differences_are_paired_over_seeds(results, tmp_path):
    rows, _ = table(results, "table_paired", tmp_path)
    found = next(row for row in rows if row["difference"] == "in-context learning")
    scores = [values(results, experiment="scores", setting="seen", method=name, metric="score_percent")
              for name in ("mend", "icl")]  # fmt: skip
    plain = spread(scores[0][seed] - scores[1][seed] for seed in scores[0])
    assert len(scores[0]) == plain.n > 1
    assert float(found["value_mean"]) == pytest.approx(plain.mean)
    assert (float(found["low"]), float(found["high"])) == pytest.approx((plain.low, plain.high))


@pytest.mark.parametrize("name", [*TABLES, "table_timing"])
def test_every_table_is_written_and_the_same_again(results, tmp_path, name):
    rows, _ = table(results, name, tmp_path)
    assert rows
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(first) == {f"{name}.csv", f"{name}.md", f"{name}.tex"}
    table(results, name, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first


def test_a_distiller_without_scores_is_not_shown_as_a_number(results, tmp_path):
    rows, printed = table(results, "table_4", tmp_path)
    assert "Not measured in this run." in rows[-1]["note"]
    assert printed.rows[-1][1].startswith("—")


def test_break_even_is_shown_with_the_method_it_beats(results, tmp_path):
    rows, _ = table(results, "table_efficiency", tmp_path)
    found = {(row["k"], row["method"]): row["total_break_even_queries"] for row in rows}
    assert found["4", "in-context learning, demonstrations kept"] == "4"
    assert found["4", "MEND"] == ""


def test_efficiency_shows_what_is_kept_and_what_stands_before_a_query(results, tmp_path):
    rows, printed = table(results, "table_efficiency", tmp_path)
    found = next(row for row in rows if (row["k"], row["method"]) == ("4", "MEND"))
    assert (float(found["prepare_tokens"]), float(found["prepare_cache_bytes"])) == (36, 2.0)
    assert any("Kept keys and values" in name for name in printed.header)


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_every_figure_draws_what_its_csv_says(results, tmp_path, name):
    for attempt in ("one", "two"):
        (tmp_path / attempt).mkdir()
        FIGURES[name].main(flags(results, name, ("pdf", "png", "csv"), tmp_path / attempt))
    for kind in ("pdf", "png", "csv"):
        content = (tmp_path / f"one/{name}.{kind}").read_bytes()
        assert content == (tmp_path / f"two/{name}.{kind}").read_bytes()
        assert len(content) > 100


def test_lambda_figure_has_every_weight(results, tmp_path):
    plot_lambda.main(flags(results, "figure_lambda", ("pdf", "png", "csv"), tmp_path))
    rows = read_csv(tmp_path / "figure_lambda.csv")
    assert [(row["setting"], row["lambda"]) for row in rows][:3] == [("seen", "0"), ("seen", "1"), ("seen", "inf")]
    assert float(rows[1]["mean"]) == pytest.approx(66.0)


def test_figures_of_nothing_say_so(results, tmp_path):
    (tmp_path / "published.csv").write_text((results / "published.csv").read_text())
    for path in (results / "mend" / "measured").rglob("*.csv"):
        target = tmp_path / path.relative_to(results)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(path.read_text().splitlines()[0] + "\n")
    for name, step in FIGURES.items():
        step.main(flags(tmp_path, name, ("pdf", "png", "csv"), tmp_path))
        assert read_csv(tmp_path / f"{name}.csv"), name
