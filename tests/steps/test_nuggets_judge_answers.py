"""The judging step: files in, files out, for every mode."""

from __future__ import annotations

import json

import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_csv, read_jsonl
from scripts.nuggets.benchmarks import JUDGED_COLUMNS
from scripts.nuggets.judge_answers import main
from tests.unit.nuggets_eval import JUDGE, flags, write_answers, write_benchmarks


@pytest.fixture
def folders(tmp_path):
    write_benchmarks(tmp_path)
    good = ["w2 w3", "w4 w5", "w6", "w7 w8"]
    write_answers(tmp_path / "base", "base", {0: ["w9"] * 4})
    write_answers(tmp_path / "full", "full", {0: good, 1: ["w9", "w4 w5", "w6", "w7"]})
    write_answers(tmp_path / "gt_0.9", "gt_0.9", {0: [], 1: []}, reason="no example scores above 0.9")
    return tmp_path


def run(folder, mode, **changes):
    names = ["base", "full", "gt_0.9"]
    given = {
        "mode": mode,
        "examples": folder / ("mt_bench.jsonl" if mode == "mt_bench" else "alpaca_eval.jsonl"),
        "runs": [f"kmeans_4/{name}" for name in names],
        "answers": [folder / name for name in names],
        "reference-run": "kmeans_4/full" if mode == "pairwise" else None,
        "settings": JUDGE,
        "device": "cpu",
        "threads": 1,
        "judgements-out": folder / f"judged_{mode}.jsonl",
        "metrics-out": folder / f"judged_{mode}.csv",
    }
    main(flags({**given, **changes}))
    rows = read_csv(folder / f"judged_{mode}.csv", JUDGED_COLUMNS)
    return {(r["method"], r["seed"], r["group"], r["metric"]): float(r["value"]) for r in rows}, read_jsonl(
        folder / f"judged_{mode}.jsonl"
    )


def test_alpaca_eval(folders):
    got, rows = run(folders, "alpaca_eval")
    # Against the baseline (one right, one half right): all four right win three and tie one.
    assert got["full", "0", "all", "alpaca_eval_win_rate_percent"] == 87.5
    assert got["full", "0", "all", "exact_match"] == 1.0
    # "w9" is as wrong as the baseline on the first, worse on the second, as wrong on the third, worse on the fourth.
    assert got["base", "0", "all", "alpaca_eval_win_rate_percent"] == 25.0
    assert {method for method, *_ in got} == {"base", "full"}
    assert len(rows) == 12
    assert {row["preference"] for row in rows} <= {1.0, 1.5, 2.0}


def test_mt_bench(folders):
    got, rows = run(folders, "mt_bench")
    assert got["full", "1", "overall", "n_judged"] == 3
    assert got["full", "1", "overall", "mt_bench_score_1_to_10"] == 1.0
    assert {(row["question_id"], row["turn"]) for row in rows} == {(81, 1), (81, 2), (82, 1)}


def test_pairwise(folders):
    got, rows = run(folders, "pairwise")
    assert got["base", "0", "vs_full", "loss_share"] == 1.0
    assert got["base", "1", "vs_full", "tie_share"] == 0.25
    assert got["base", "1", "vs_full", "loss_share"] == 0.75
    assert {row["generator_2"] for row in rows} == {"kmeans_4/base/seed_0", "kmeans_4/base/seed_1"}


def test_pairwise_against_a_subset_that_was_not_trained(folders):
    got, rows = run(folders, "pairwise", **{"reference-run": "kmeans_4/gt_0.9"})
    assert not got
    assert not rows


def test_same_bytes_twice(folders):
    run(folders, "alpaca_eval")
    first = [(folders / name).read_bytes() for name in ("judged_alpaca_eval.csv", "judged_alpaca_eval.jsonl")]
    run(folders, "alpaca_eval")
    assert first == [(folders / name).read_bytes() for name in ("judged_alpaca_eval.csv", "judged_alpaca_eval.jsonl")]


def test_faults_are_named(folders):
    with pytest.raises(UserError, match="--reference-run: 'kmeans_4/none' is not among --runs"):
        run(folders, "pairwise", **{"reference-run": "kmeans_4/none"})
    with pytest.raises(UserError, match="--answers: 1 folders for 3 runs"):
        run(folders, "alpaca_eval", answers=[folders / "base"])
    with pytest.raises(UserError, match="'base' is not of the form anchor_set/method"):
        run(folders, "alpaca_eval", runs=["base", "kmeans_4/full", "kmeans_4/gt_0.9"])
    with pytest.raises(UserError, match="unknown key 'modle'"):
        run(folders, "alpaca_eval", settings={**JUDGE, "modle": "x"})


def test_a_writing_judge_is_asked_in_both_orders(folders, monkeypatch):
    asked = []

    class Writer:
        name = "writer"

        def __init__(self, settings, cache):
            assert settings.base_url == "https://api.openai.com/v1"
            assert cache == "unused"

        def write(self, prompts):
            asked.extend(prompts)
            return ["[[A]]" for _ in prompts]

    monkeypatch.setattr("scripts.lm.judge_openai.EndpointWriter", Writer)
    got, _ = run(folders, "alpaca_eval", settings={**JUDGE, "backend": "openai", "model": "gpt"})
    assert got["full", "0", "all", "alpaca_eval_win_rate_percent"] == 50.0  # always the first: a tie in both orders
    assert len(asked) == 3 * 4 * 2
    assert json.dumps(asked[0].user).count("w9") == 2
