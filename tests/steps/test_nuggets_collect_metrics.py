"""The collecting step: everything into the long schema, and what is missing into the notes."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_csv, write_csv, write_jsonl
from scripts.common.metrics import METRIC_COLUMNS
from scripts.common.tensors import write_tensors
from scripts.nuggets.collect_metrics import NO_TRUTH, RACED, UNJUDGED, main
from tests.unit.nuggets_eval import JUDGE, comparison, flags, write_answers, write_benchmarks

METHODS = ("base", "full", "gt_0.5", "gt_0.9")
IMPROVED = np.array([[1, 1, 1, 1], [1, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]], dtype=bool)


def score_rows(improved):
    return [
        {"id": f"p{i}", "golden_score": f"{row.mean():.9g}", "mean_gain_nats": f"{row.mean() - 0.5:.9g}"}
        for i, row in enumerate(improved)
    ]


@pytest.fixture
def folder(tmp_path):
    from scripts.nuggets import judge_answers

    write_benchmarks(tmp_path)
    good = ["w2 w3", "w4 w5", "w6", "w7 w8"]
    write_answers(tmp_path / "base", "base", {0: ["w9"] * 4})
    write_answers(tmp_path / "full", "full", {0: ["w9"] * 4, 1: good}, counts={"0": 4, "1": 4})
    write_answers(tmp_path / "gt_0.5", "gt_0.5", {0: good, 1: good}, counts={"0": 2, "1": 2})
    empty = "no example scores above 0.9"
    write_answers(tmp_path / "gt_0.9", "gt_0.9", {0: [], 1: []}, counts={"0": 0, "1": 0}, reason=empty)
    for mode in judge_answers.MODES:
        given = {
            "mode": mode,
            "examples": tmp_path / ("mt_bench.jsonl" if mode == "mt_bench" else "alpaca_eval.jsonl"),
            "runs": [f"kmeans_4/{name}" for name in METHODS],
            "answers": [tmp_path / name for name in METHODS],
            "reference-run": "kmeans_4/full" if mode == "pairwise" else None,
            "settings": JUDGE,
            "device": "cpu",
            "threads": 1,
            "judgements-out": tmp_path / f"judged_{mode}.jsonl",
            "metrics-out": tmp_path / f"judged_{mode}.csv",
        }
        judge_answers.main(flags(given))
    write_csv(tmp_path / "scores.csv", score_rows(IMPROVED), ("id", "golden_score", "mean_gain_nats"))
    write_csv(tmp_path / "random.csv", score_rows(IMPROVED[::-1]), ("id", "golden_score", "mean_gain_nats"))
    zero = np.zeros(4, dtype=np.float32)
    raw = {"zero_shot": zero, "one_shot": IMPROVED.astype(np.float32), "n_tokens": np.ones(4, dtype=np.int32)}
    write_tensors(tmp_path / "raw.safetensors", raw)
    difficulty = [{"id": f"p{i}", "perplexity": p, "ifd": 0.5, "length": i} for i, p in enumerate([2.0, 1.0, "", 3.0])]
    write_csv(tmp_path / "difficulty.csv", difficulty[::-1], ("id", "perplexity", "ifd", "length"))
    truth = [{"id": f"p{i}", "good": i < 2, "family": "copy", "fault": "" if i < 2 else "wrong"} for i in range(4)]
    write_jsonl(tmp_path / "truth.jsonl", truth)
    return tmp_path


def run(folder, **changes):
    given = {
        "alpaca-eval": folder / "judged_alpaca_eval.csv",
        "mt-bench": folder / "judged_mt_bench.csv",
        "pairwise": folder / "judged_pairwise.csv",
        "runs": [f"kmeans_4/{name}" for name in METHODS],
        "answers": [folder / name for name in METHODS],
        "anchor-sets": ["kmeans_4", "random_4"],
        "scores": [folder / "scores.csv", folder / "random.csv"],
        "raw": folder / "raw.safetensors",
        "difficulty": folder / "difficulty.csv",
        "truth": folder / "truth.jsonl",
        "settings": comparison(),
        "metrics-out": folder / "metrics.csv",
        "notes-out": folder / "notes.csv",
        "roc-out": folder / "roc.csv",
    }
    main(flags({**given, **changes}))
    rows = read_csv(folder / "metrics.csv", METRIC_COLUMNS)
    values = {
        (r["artifact"], r["setting"], r["method"], r["seed"], r["metric"]): (float(r["value"]), int(r["n"]))
        for r in rows
    }
    assert len(values) == len(rows), "a value is written twice"
    return values, read_csv(folder / "notes.csv")


def test_everything_lands_in_the_long_schema(folder):
    values, notes = run(folder)
    assert values["table_1", "all", "full", "1", "alpaca_eval_win_rate_percent"] == (87.5, 4)
    assert values["table_1", "koala", "full", "1", "exact_match"] == (1.0, 2)
    assert values["table_1", "pool", "gt_0.5", "0", "n_examples"] == (2, 2)
    assert values["table_1", "all", "gt_0.5", "0", "reference_loglik_nats_per_token"] == (-1.5, 7)
    assert values["table_2", "overall", "base", "0", "mt_bench_score_1_to_10"] == (1.0, 3)
    assert values["table_3", "kmeans_4", "gt_0.5", "1", "alpaca_eval_win_rate_percent"] == (87.5, 4)
    assert values["table_3", "kmeans_4", "gt_0.5", "1", "n_examples"] == (2, 2)
    assert values["table_baselines", "all", "gt_0.5", "0", "exact_match"] == (1.0, 4)
    assert values["table_baselines", "overall", "full", "0", "mt_bench_score_1_to_10"] == (1.0, 3)
    assert values["figure_scores", "pool", "le_0.25", "0", "n_examples"] == (2, 4)
    assert values["figure_pairwise", "vs_full", "gt_0.5", "0", "win_share"] == (1.0, 4)
    assert values["figure_pairwise", "vs_full", "gt_0.5", "1", "tie_share"] == (1.0, 4)
    assert values["table_selection_quality", "all", "golden_score", "0", "auc"] == (1.0, 4)
    assert values["table_selection_quality", "all", "golden_score_random_4", "0", "auc"] == (0.0, 4)
    assert values["table_selection_quality", "all", "perplexity", "0", "auc"] == (1.0, 4)
    assert values["table_selection_quality", "all", "ifd", "0", "auc"] == (0.5, 4)
    assert values["figure_anchor_sizes", "n_anchors_4", "golden_score", "2", "spearman_with_all_anchors"] == (1.0, 4)
    assert values["table_racing", "threshold_0.5", "racing", "0", "same_decisions_share"] == (1.0, 4)
    assert not [key for key in values if key[2] == "gt_0.9" and key[4] != "n_examples"]
    reasons = {(note["artifact"], note["method"]): note["reason"] for note in notes}
    for artifact in ("table_1", "table_2", "table_3", "table_baselines", "figure_pairwise"):
        assert reasons[artifact, "gt_0.9"] == "no example scores above 0.9"


def test_same_bytes_twice_and_in_any_order_of_runs(folder):
    run(folder)
    first = [(folder / name).read_bytes() for name in ("metrics.csv", "notes.csv", "roc.csv")]
    runs = [f"kmeans_4/{name}" for name in METHODS[::-1]]
    run(folder, runs=runs, answers=[folder / name for name in METHODS[::-1]])
    assert first == [(folder / name).read_bytes() for name in ("metrics.csv", "notes.csv", "roc.csv")]


def test_a_real_pool_has_no_truth(folder):
    values, notes = run(folder, truth=None)
    assert not [key for key in values if key[4] == "auc"]
    assert [key for key in values if key[0] == "figure_anchor_sizes"]
    reasons = {note["artifact"]: note["reason"] for note in notes if not note["method"]}
    assert reasons["table_selection_quality"] == reasons["figure_selection_quality"] == NO_TRUTH
    assert (folder / "roc.csv").read_text().count("\n") == 1


def test_raced_scores_give_no_replay(folder):
    one = IMPROVED.astype(np.float32)
    one[3, 2:] = np.nan
    raw = {"zero_shot": np.zeros(4, dtype=np.float32), "one_shot": one, "n_tokens": np.ones(4, dtype=np.int32)}
    write_tensors(folder / "raw.safetensors", raw)
    values, notes = run(folder)
    assert not [key for key in values if key[0] in ("table_racing", "figure_anchor_sizes")]
    assert RACED in {note["reason"] for note in notes if note["artifact"] == "table_racing"}


def test_a_skipped_candidate_is_the_lowest_and_is_counted(folder):
    rows = score_rows(IMPROVED)
    rows[0].update(golden_score="", mean_gain_nats="")
    write_csv(folder / "scores.csv", rows, ("id", "golden_score", "mean_gain_nats"))
    one = IMPROVED.astype(np.float32)
    one[0] = np.nan
    raw = {"zero_shot": np.zeros(4, dtype=np.float32), "one_shot": one, "n_tokens": np.ones(4, dtype=np.int32)}
    write_tensors(folder / "raw.safetensors", raw)
    values, notes = run(folder)
    assert values["table_selection_quality", "all", "golden_score", "0", "auc"] == (0.5, 4)
    assert values["figure_scores", "pool", "le_0.5", "0", "n_examples"] == (2, 4)
    assert values["table_racing", "threshold_0.5", "racing", "0", "same_decisions_share"] == (1.0, 3)
    assert "1 examples have no score" in {n["artifact"]: n["reason"] for n in notes}["figure_scores"]


def test_what_no_judge_could_judge_is_noted(folder):
    path = folder / "judged_alpaca_eval.csv"
    with open(path, newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["metric"] != "alpaca_eval_win_rate_percent"]
    for row in rows:
        if row["metric"] == "n_judged":
            row["value"] = "0"
    write_csv(path, rows, list(rows[0]))
    values, notes = run(folder)
    assert ("table_1", "all", "full", "1", "answer_length_chars") in values
    found = {(n["artifact"], n["setting"], n["method"]): n["reason"] for n in notes}
    assert found["table_1", "all", "full"] == UNJUDGED
    assert len(found) == len(notes), "a note is written twice"


def test_answers_that_were_not_judged_are_noted(folder):
    path = folder / "judged_mt_bench.csv"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    _, notes = run(folder)
    found = {(n["artifact"], n["method"]): n["reason"] for n in notes}
    assert found["table_2", "full"] == "the answers were not judged for mt_bench"


def test_faults_are_named(folder):
    with pytest.raises(UserError, match="table_1: no answers of kmeans_4/full"):
        run(folder, runs=["kmeans_4/base"], answers=[folder / "base"])
    with pytest.raises(UserError, match="the main anchor set 'kmeans_4' is missing"):
        run(folder, **{"anchor-sets": ["random_4"], "scores": [folder / "random.csv"]})
    with pytest.raises(UserError, match="--scores: 1 files for 2 anchor sets"):
        run(folder, scores=[folder / "scores.csv"])
    write_csv(folder / "random.csv", score_rows(IMPROVED[:3]), ("id", "golden_score", "mean_gain_nats"))
    with pytest.raises(UserError, match="'random_4' are of another pool"):
        run(folder)


def test_files_of_another_pool_are_named(folder):
    write_jsonl(folder / "truth.jsonl", [{"id": "p0", "good": True, "family": "copy", "fault": ""}])
    with pytest.raises(UserError, match=r"truth.jsonl: no row for example 'p1'"):
        run(folder)
    write_csv(folder / "difficulty.csv", [{"id": "p0", "perplexity": 1, "ifd": 1, "length": 1}],
              ("id", "perplexity", "ifd", "length"))  # fmt: skip
    with pytest.raises(UserError, match=r"difficulty.csv: no row for example 'p1'"):
        run(folder)


def test_a_damaged_raw_file_is_named(folder):
    (folder / "raw.safetensors").write_bytes(b"broken")
    with pytest.raises(UserError, match=r"raw.safetensors: damaged safetensors file"):
        run(folder)
