"""The judging step: files in, files out, for every mode."""

from __future__ import annotations

import json

import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_jsonl, write_jsonl
from scripts.common.metrics import read_metrics, with_value
from scripts.nuggets.judge_answers import UNJUDGED, main
from tests.unit.nuggets_eval import JUDGE, SINGLES, flags, write_answers, write_benchmarks


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
        "model-name": "tiny",
        "settings": JUDGE,
        "device": "cpu",
        "threads": 1,
        "judgements-out": folder / f"judged_{mode}.jsonl",
        "measured-out": folder / f"judged_{mode}.csv",
    }
    main(flags({**given, **changes}))
    rows = with_value(read_metrics(folder / f"judged_{mode}.csv"))
    assert {row["experiment"] for row in rows} <= {f"{mode}/kmeans_4"}
    found = {(r["method"], r["seed"], r["setting"], r["metric"]): float(r["value"]) for r in rows}
    assert len(found) == len(rows), "a value is written twice"
    return found, read_jsonl(folder / f"judged_{mode}.jsonl")


def reasons(folder, mode):
    rows = [row for row in read_metrics(folder / f"judged_{mode}.csv") if row["reason"]]
    found = {(row["setting"], row["method"]): row["reason"] for row in rows}
    assert len(found) == len(rows), "a reason is written twice"
    return found


def test_alpaca_eval(folders):
    got, rows = run(folders, "alpaca_eval")
    # Against the baseline (one right, one half right): all four right win three and tie one.
    assert got["full", "0", "all", "alpaca_eval_win_rate_percent"] == 87.5
    assert got["full", "0", "all", "exact_match"] == 1.0
    # "w9" is as wrong as the baseline on the first, worse on the second, as wrong on the third, worse on the fourth.
    assert got["base", "0", "all", "alpaca_eval_win_rate_percent"] == 25.0
    assert {method for method, *_ in got} == {"base", "full"}
    assert reasons(folders, "alpaca_eval") == {("", "gt_0.9"): "no example scores above 0.9"}
    assert len(rows) == 12
    assert {row["preference"] for row in rows} <= {1.0, 1.5, 2.0}


def test_mt_bench(folders):
    got, rows = run(folders, "mt_bench")
    assert got["full", "1", "overall", "mt_bench_score_1_to_10"] == 1.0
    assert {(row["question_id"], row["turn"]) for row in rows} == {(81, 1), (81, 2), (82, 1)}
    scores = [row for row in read_metrics(folders / "judged_mt_bench.csv") if row["metric"] == "mt_bench_score_1_to_10"]
    assert {row["n"] for row in scores if row["setting"] == "overall"} == {"3"}  # the fourth turn has no reference


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
    empty = "no example scores above 0.9"
    told = f"nothing to compare with: {empty}"
    assert reasons(folders, "pairwise") == {("vs_gt_0.9", "base"): told, ("vs_gt_0.9", "full"): told}


def test_what_no_judge_could_judge_says_so_and_keeps_its_other_measures(folders):
    write_jsonl(folders / "alpaca_eval.jsonl", [{**row, "reference": ""} for row in SINGLES])
    got, rows = run(folders, "alpaca_eval")
    assert not rows
    assert ("full", "1", "all", "answer_length_chars") in got
    assert ("full", "1", "all", "alpaca_eval_win_rate_percent") not in got
    assert reasons(folders, "alpaca_eval")["koala", "full"] == UNJUDGED


def test_the_order_of_the_runs_changes_no_value(folders):
    run(folders, "alpaca_eval")
    first = (folders / "judged_alpaca_eval.csv").read_bytes()
    names = ["gt_0.9", "full", "base"]
    run(folders, "alpaca_eval", runs=[f"kmeans_4/{n}" for n in names], answers=[folders / n for n in names])
    assert (folders / "judged_alpaca_eval.csv").read_bytes() == first


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
    with pytest.raises(UserError, match=r"--settings.modle: unknown key \(did you mean 'model'\?\)"):
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

    monkeypatch.setattr("scripts.judging.endpoint.EndpointWriter", Writer)
    got, _ = run(folders, "alpaca_eval", settings={**JUDGE, "backend": "openai", "model": "gpt"})
    assert got["full", "0", "all", "alpaca_eval_win_rate_percent"] == 50.0  # always the first: a tie in both orders
    assert len(asked) == 3 * 4 * 2
    assert json.dumps(asked[0].user).count("w9") == 2
