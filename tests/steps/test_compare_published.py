"""Our values beside the published ones: verdicts, reasons, and faults in what was given."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_csv, write_csv
from scripts.common.metrics import PUBLISHED_COLUMNS, PUBLISHED_KEY, metric_row, reason_row, write_metrics
from scripts.report.compare_published import COMPARISON_COLUMNS, main
from scripts.step_by_step.artifacts import ARTIFACTS

ROOT = Path(__file__).resolve().parents[2]
TOLERANCES = {"win_rate_percent": 1.0, "n_examples": 0}


def published(
    value="25.0",
    artifact="table_1",
    method="full",
    metric="win_rate_percent",
    model="llama_7b",
    setting="all",
    origin="paper",
):
    cells = ("nuggets", artifact, artifact, setting, model, method, metric, value, "", origin, "table 1")
    return dict(zip(PUBLISHED_COLUMNS, cells))


def ours(value, seed=0, artifact="table_1", method="full", metric="win_rate_percent", model="llama_7b"):
    return metric_row("nuggets", artifact, "all", model, method, seed, metric, value, 805)


def compare(folder, published_rows, our_rows, tier="paper", tolerances=TOLERANCES):
    write_csv(folder / "published.csv", published_rows, PUBLISHED_COLUMNS)
    write_metrics(folder / "metrics.csv", our_rows)
    main(
        ["--metrics", str(folder / "metrics.csv"), "--published", str(folder / "published.csv"), "--tier", tier]
        + ["--tolerances", json.dumps(tolerances), "--comparison-out", str(folder / "comparison.csv")]
    )
    return read_csv(folder / "comparison.csv", COMPARISON_COLUMNS)


@pytest.mark.parametrize(
    "values, status, difference",
    [
        ([25.0], "reproduced", "0"),
        ([26.0], "reproduced", "1"),  # the tolerance itself counts
        ([24.0], "reproduced", "-1"),
        ([26.01], "deviates", "1.01"),
        ([20.0, 30.0], "reproduced", "0"),
        ([23.0, 24.9], "deviates", "-1.05"),
    ],
)
def test_verdict_by_the_mean_over_seeds(tmp_path, values, status, difference):
    (row,) = compare(tmp_path, [published()], [ours(value, seed) for seed, value in enumerate(values)])
    assert (row["status"], row["difference"], row["n_seeds"]) == (status, difference, str(len(values)))
    assert float(row["ours_mean"]) == pytest.approx(sum(values) / len(values))
    assert (row["published"], row["source"], row["note"]) == ("25.0", "table 1", "tolerance 1")


def test_standard_deviation_by_hand_and_none_for_one_seed(tmp_path):
    (row,) = compare(tmp_path, [published()], [ours(24.0, 0), ours(26.0, 1)])
    assert float(row["ours_std"]) == pytest.approx(2**0.5)
    (row,) = compare(tmp_path, [published()], [ours(24.0, 0)])
    assert row["ours_std"] == ""


def test_rounding_error_does_not_turn_a_tie_into_a_deviation(tmp_path):
    rows = [published(value="0.3", metric="n_examples")]
    (row,) = compare(tmp_path, rows, [ours(0.1 + 0.2, metric="n_examples")])
    assert row["status"] == "reproduced"


@pytest.mark.parametrize(
    "tier, our_rows, note",
    [
        (
            "mini",
            [ours(25.0, model="mini_causal")],
            "mini tier runs a synthetic stand-in with mini language model, not LLaMA-7B",
        ),
        ("mini", [], "the mini tier measured nothing for nuggets"),
        ("sample", [ours(25.0, model="qwen")], "the sample tier ran model qwen, not llama_7b"),
        ("paper", [ours(25.0, artifact="table_2")], "the paper tier measured nothing for table_1"),
        ("paper", [ours(25.0, method="top")], "no measurement of win_rate_percent for method full in setting all"),
    ],
)
def test_what_was_not_run_says_why(tmp_path, tier, our_rows, note):
    (row,) = compare(tmp_path, [published()], our_rows, tier=tier)
    assert (row["status"], row["note"], row["n_seeds"]) == ("not_run", note, "0")
    assert (row["ours_mean"], row["ours_std"], row["difference"]) == ("", "", "")


def test_a_row_that_only_gives_a_reason_is_no_measurement(tmp_path):
    why = reason_row("nuggets", "table_1", "no example scores above 0.9", model="llama_7b", method="full")
    (row,) = compare(tmp_path, [published()], [why, ours(1.0, method="top")])
    assert row["note"] == "no measurement of win_rate_percent for method full in setting all"


def test_the_mini_tier_is_never_compared_even_with_equal_names(tmp_path):
    (row,) = compare(tmp_path, [published()], [ours(25.0)], tier="mini")
    assert row["status"] == "not_run"


def test_every_published_row_appears_once_in_its_order(tmp_path):
    rows = [published(method=method) for method in ("full", "base", "top")]
    result = compare(tmp_path, rows, [ours(25.0), ours(1.0, method="other")])
    assert [(row["method"], row["status"]) for row in result] == [
        ("full", "reproduced"),
        ("base", "not_run"),
        ("top", "not_run"),
    ]


@pytest.mark.parametrize(
    "rows, message",
    [
        (
            [published(), published(value="3")],
            r"published\.csv:3: nuggets/table_1/.* stands already in .*published\.csv:2",
        ),
        (
            [published(metric="win_rate_percnt")],
            r"no tolerance \(did you mean 'win_rate_percent'\?\); add it to config",
        ),
        ([published(origin="rumour")], r"published\.csv:2: origin is 'rumour'; write paper or measured"),
        ([published(value="")], r"published\.csv:2: value is ''"),
        ([published(value="25 %")], r"value is '25 %'"),
    ],
)
def test_faults_in_the_published_values_are_named(tmp_path, rows, message):
    with pytest.raises(UserError, match=message):
        compare(tmp_path, rows, [])


@pytest.mark.parametrize(
    "tolerances, message",
    [
        ({"win_rate_percent": -1}, r"config: tolerances\.win_rate_percent: must be a number >= 0, not -1"),
        ({"win_rate_percent": True}, r"must be a number"),
        ([1], "expected a JSON object"),
    ],
)
def test_faults_in_the_tolerances_are_named(tmp_path, tolerances, message):
    with pytest.raises(UserError, match=message):
        compare(tmp_path, [published()], [], tolerances=tolerances)


def test_broken_tolerances(tmp_path):
    with pytest.raises(UserError, match="--tolerances: broken JSON"):
        main(["--metrics", "m", "--published", "p", "--tier", "mini", "--tolerances", "{", "--comparison-out", "c"])


def test_the_published_values_of_this_repository_and_its_tolerances_fit_together(tmp_path):
    import yaml

    tolerances = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())["tolerances"]
    files = sorted((ROOT / "config" / "published").glob("*.csv"))
    write_metrics(tmp_path / "metrics.csv", [])
    main(
        ["--metrics", str(tmp_path / "metrics.csv"), "--published", *map(str, files), "--tier", "mini"]
        + ["--tolerances", json.dumps(tolerances), "--comparison-out", str(tmp_path / "comparison.csv")]
    )
    assert len(read_csv(tmp_path / "comparison.csv")) == sum(len(read_csv(file)) for file in files)


def test_our_own_values_on_released_files_agree_or_differ_and_reproduce_nothing(tmp_path):
    own = [published(value, method=method, origin="measured") for value, method in (("25", "a"), ("9", "b"))]
    rows = compare(tmp_path, [published(), *own], [ours(25.0, method=name) for name in ("full", "a", "b")])
    assert [(row["status"], row["origin"]) for row in rows] == [
        ("reproduced", "paper"),
        ("agrees", "measured"),
        ("differs", "measured"),
    ]


def test_each_published_value_stands_once_with_its_origin_and_where_it_is_printed(tmp_path):
    rows = read_csv(ROOT / "config/published/step_by_step.csv", PUBLISHED_COLUMNS)
    keys = [tuple(row[name] for name in PUBLISHED_KEY) for row in rows]
    assert len(set(keys)) == len(keys) == 44
    assert {row["origin"] == "measured" for row in rows if row["experiment"] == "teachers"} == {True}
    assert sum(row["origin"] == "measured" for row in rows) == 8
    assert all(row["source"].startswith("measured:") == (row["origin"] == "measured") for row in rows)
    assert {name for row in rows for name in row["artifact"].split()} == {artifact.name for artifact in ARTIFACTS}
    write_csv(tmp_path / "published.csv", rows[:1], list(rows[0]))
    write_metrics(tmp_path / "metrics.csv", [])
    main(
        ["--metrics", str(tmp_path / "metrics.csv"), "--published", str(tmp_path / "published.csv"), "--tier", "paper"]
        + ["--tolerances", json.dumps({"test_accuracy_percent": 1}), "--comparison-out", str(tmp_path / "c.csv")]
    )
    assert [row["artifact"] for row in read_csv(tmp_path / "c.csv")] == ["table_1 table_2"]
