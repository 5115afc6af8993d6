"""MEND's last steps on made-up results: the long metrics, the tables, the figures."""

from __future__ import annotations

import json

import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_csv
from scripts.common.metrics import PUBLISHED_COLUMNS, read_metrics
from scripts.common.spread import spread
from scripts.common.tables import read_markdown_table
from scripts.mend import (
    collect_metrics,
    plot_attention,
    plot_efficiency,
    plot_lambda,
    plot_ratio,
    plot_timing,
    tabulate_artifact,
)
from tests.unit.mend_results import RUNS, SETTINGS, all_scores, written

PUBLISHED = "mend,table_2,table_2,seen,gpt2_large,icl,score_percent,43.5,,paper,somebody's table\n"
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
    folder = tmp_path_factory.mktemp("results")
    collect_metrics.main(written(folder))
    (folder / "published.csv").write_text(",".join(PUBLISHED_COLUMNS) + "\n" + PUBLISHED)
    return folder


def values(folder, **wanted):
    rows = read_metrics(folder / "metrics.csv")
    found = [row for row in rows if all(row[key] == value for key, value in wanted.items())]
    return {int(row["seed"]): float(row["value"]) for row in found}


def test_scores_are_means_over_the_tasks_of_a_setting(results):
    found = values(results, experiment="table_2", setting="seen", method="icl", metric="score_percent")
    assert found == pytest.approx({13: 85.0, 21: 86.0, 42: 87.0})
    assert values(results, experiment="table_2", setting="unseen", method="icl")[13] == pytest.approx(70.0)
    average = values(results, experiment="table_2", setting="average", method="icl")
    assert average[13] == pytest.approx((85.0 + 70.0) / 2)


def test_each_condition_goes_to_its_artifact(results):
    assert values(results, experiment="table_3", setting="seen/none", method="mend")[13] == pytest.approx(75.0)
    assert values(results, experiment="table_3", setting="seen/wrong_label", method="mend")[13] == pytest.approx(45.0)
    assert values(results, experiment="table_separators", setting="seen/metaicl", method="icl")[13] == pytest.approx(
        75.0
    )
    assert values(results, experiment="table_separators", setting="seen/plain", method="icl")[13] == pytest.approx(85.0)
    assert values(results, experiment="figure_lambda", setting="seen/lambda_inf", method="kl_only")[
        13
    ] == pytest.approx(60)


def test_ratio_is_demonstration_tokens_over_vectors(results):
    found = values(results, experiment="figure_4", setting="seen/k_4", method="mend", metric="distillation_ratio")
    assert set(found.values()) == {40 / 8}
    found = values(results, experiment="figure_4", setting="seen/vectors_2", method="mend", metric="distillation_ratio")
    assert set(found.values()) == {160 / 2}
    assert not values(results, experiment="figure_4", setting="seen/k_4", method="icl", metric="distillation_ratio")


def test_accuracy_on_unseen_labels_counts_queries_not_tasks(results):
    found = values(
        results, experiment="table_unseen_labels", setting="seen/k_2", method="icl", metric="accuracy_unseen_labels"
    )
    assert found[13] == pytest.approx((0.1 * 10 + 0.3 * 30) / 40)


def test_largest_saving_of_operations(results):
    (saved,) = values(results, experiment="figure_3", method="mend_vs_vanilla_icl").values()
    assert saved == pytest.approx(100 * (1 - (6 * 16 + 64 * 4.5) / (64 * 160)))


def test_attention_counts_the_queries_it_is_a_mean_over(results):
    rows = [row for row in read_metrics(results / "metrics.csv") if row["experiment"] == "figure_5"]
    assert {(row["method"], int(row["n"])) for row in rows} == {("llm_icl", 32), ("llm_mend", 32), ("distiller", 1)}


def test_seconds_stand_apart(results):
    assert not [row for row in read_metrics(results / "metrics.csv") if "seconds" in row["metric"]]
    timing = read_metrics(results / "timing.csv")
    assert {row["experiment"] for row in timing} == {"table_timing", "figure_timing"}


def test_what_was_not_run_has_a_reason(results):
    notes = read_csv(results / "notes.csv")
    assert {row["method"] for row in notes if row["artifact"] == "table_4"} == {"hidden_only"}
    assert all(row["reason"] for row in notes)


def test_a_seed_without_all_tasks_is_left_out(tmp_path):
    scores = all_scores()
    main = [row for row in scores[RUNS[0]] if (row["task"], row["seed"], row["method"]) != ("b", 21, "icl")]
    collect_metrics.main(written(tmp_path, {**scores, RUNS[0]: main}))
    assert set(values(tmp_path, experiment="table_2", setting="seen", method="icl")) == {13, 42}
    assert set(values(tmp_path, experiment="table_2", setting="average", method="icl")) == {13, 42}


def test_runs_and_files_must_match(tmp_path):
    flags = written(tmp_path)
    flags.remove(RUNS[0])
    with pytest.raises(UserError, match="--scores: 3 files for 2 runs"):
        collect_metrics.main(flags)
    flags.insert(flags.index("--runs") + 1, "big_x_main")
    with pytest.raises(UserError, match="--runs: 'big_x_main' is not of the form backbone/train_set/arms"):
        collect_metrics.main(flags)


def flags(folder, name, kinds, out):
    source = "timing" if name.endswith("timing") else "metrics"
    given = ["--metrics", str(folder / f"{source}.csv"), "--notes", str(folder / "notes.csv")]
    given += ["--published", str(folder / "published.csv"), "--tier", "mini", "--settings", json.dumps(SETTINGS)]
    for kind in kinds:
        given += [f"--{kind}-out", str(out / f"{name}.{kind}")]
    return given


def table(folder, name, out):
    tabulate_artifact.main(["--artifact", name, *flags(folder, name, ("csv", "md", "tex"), out)])
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
    scores = [values(results, experiment="table_2", setting="seen", method=name, metric="score_percent")
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


def test_a_missing_distiller_shows_its_reason(results, tmp_path):
    rows, printed = table(results, "table_4", tmp_path)
    assert "not run in this tier" in rows[-1]["note"]
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
    header = (results / "metrics.csv").read_text().splitlines()[0]
    (tmp_path / "metrics.csv").write_text(header + "\n")
    (tmp_path / "timing.csv").write_text(header + "\n")
    for name in ("notes", "published"):
        (tmp_path / f"{name}.csv").write_text((results / f"{name}.csv").read_text())
    for name, step in FIGURES.items():
        step.main(flags(tmp_path, name, ("pdf", "png", "csv"), tmp_path))
        assert read_csv(tmp_path / f"{name}.csv"), name
