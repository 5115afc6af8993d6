"""The step that writes the raw files of the synthetic corpus."""

from __future__ import annotations

import json

import pytest

from scripts.common.errors import UserError
from scripts.data.generate_synthetic import main
from scripts.data.readers import read_raw

SIZES = {
    "pool_size": 100,
    "good_share": 0.35,
    "duplicate_share": 0.1,
    "anchor_size": 40,
    "eval_size": 40,
    "baseline_care": 0.6,
    "mt_bench_size": 16,
    "task_train": 4,
    "task_dev": 2,
    "task_test": 10,
}


def generate(folder, seed=1, settings=SIZES):
    main(
        [
            *("--settings", json.dumps(settings), "--seed", str(seed)),
            *("--pool-out", str(folder / "pool.json"), "--truth-out", str(folder / "truth.jsonl")),
            *("--anchor-pool-out", str(folder / "anchors.json")),
            *("--alpaca-eval-out", str(folder / "alpaca_eval.json")),
            *("--mt-bench-question-out", str(folder / "question.jsonl")),
            *("--mt-bench-reference-out", str(folder / "reference.jsonl")),
            *("--tasks-out", str(folder / "tasks")),
        ]
    )
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_equal_seeds_give_equal_bytes_and_others_do_not(tmp_path):
    one, same, other = (generate(tmp_path / name, seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert len(one) == 6 + 12 * 3
    assert one == same
    assert all(one[name] != other[name] for name in one)


def test_the_readers_accept_every_file(tmp_path):
    generate(tmp_path)
    pool = read_raw(tmp_path / "pool.json", "alpaca_json", "instruction")
    truth = read_raw(tmp_path / "truth.jsonl", "json", "truth")
    assert [row["id"] for row in pool] == [row["id"] for row in truth]
    assert len(read_raw(tmp_path / "anchors.json", "alpaca_json", "instruction")) == 40
    benchmark = read_raw(tmp_path / "alpaca_eval.json", "alpaca_eval_json", "evaluation")
    assert all(row["reference"] and row["baseline_output"] for row in benchmark)
    turns = read_raw(
        tmp_path / "question.jsonl", "mt_bench_questions", "dialogue", references=tmp_path / "reference.jsonl"
    )
    assert all(len(row["references"]) == 2 for row in turns)
    for path in sorted((tmp_path / "tasks").glob("*/*.tsv")):
        rows = read_raw(path, "tsv", "classification", header=["input", "output"], task=path.parent.name)
        assert all(len(row["input"].split()) == 7 for row in rows)


def test_an_unknown_setting_is_named(tmp_path):
    with pytest.raises(UserError, match=r"unknown key 'pool_sizes' \(did you mean 'pool_size'\?\)"):
        generate(tmp_path, settings={**SIZES, "pool_sizes": 3})
