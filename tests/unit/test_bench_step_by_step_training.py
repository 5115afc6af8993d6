"""The benchmark of Distilling Step-by-Step's training: both loops see the same batches and take the same steps."""

from __future__ import annotations

import dataclasses
import json

import pytest

from scripts.bench import step_by_step_training as bench
from scripts.common.errors import UserError
from scripts.common.files import read_json

TINY = bench.Shape("tiny", 16, 1, 24, 4, None)


@pytest.fixture(scope="module")
def work():
    return bench.make_work(TINY, bench.synthetic_rows(24), "random words")


def test_both_loops_have_equal_losses_step_by_step(work):
    _, ours = bench.Ours(work).run(6)
    _, theirs = bench.Released(work).run(6)
    assert ours == pytest.approx([float(loss) for loss in theirs], abs=1e-5)
    assert len(set(ours)) == 6
    _, stacked = bench.Ours(work, 2).run(6)
    assert stacked == pytest.approx(ours, abs=1e-5)


def test_result_names_the_reference_and_what_was_run(work):
    result = bench.measure(work, threads=1, repeats=1, steps=2)
    assert (result["name"], result["unit"]) == ("step_by_step_training", "training examples per second")
    assert set(result["references"]) == {"seq2seq_trainer"}
    assert result["references"]["seq2seq_trainer"]["max_abs_diff"] <= bench.TOLERANCE
    assert result["sizes"]["rows"] == 24
    assert result["single"] == result["ours"]
    stacked = bench.measure(dataclasses.replace(work, shape=dataclasses.replace(TINY, n_runs=2)), 1, 1, 2)
    assert stacked["references"]["seq2seq_trainer"]["max_abs_diff"] <= bench.TOLERANCE
    assert (stacked["sizes"]["runs"], result["sizes"]["runs"]) == (2, 1)


def test_results_that_differ_are_not_written(monkeypatch, tmp_path):
    monkeypatch.setattr(bench, "SHAPES", (TINY,))
    monkeypatch.setattr(bench, "TOLERANCE", -1.0)
    rows = bench.synthetic_rows(24)
    monkeypatch.setattr(bench, "synthetic_rows", lambda n: rows)
    flags = ["--metrics-out", str(tmp_path / "x.json"), "--repeats", "1", "--steps", "1"]
    flags += ["--shared", "none", "--threads", "1"]
    with pytest.raises(UserError, match="tiny: losses differ by .* the result is not written"):
        bench.main(flags)
    assert not (tmp_path / "x.json").exists()
    monkeypatch.setattr(bench, "TOLERANCE", 1e-5)
    bench.main(flags)
    assert read_json(tmp_path / "x.json")["also"] == []


def test_released_rows_are_read(tmp_path):
    folder = tmp_path / "data" / "step_by_step" / "cqa"
    folder.mkdir(parents=True)
    gold = {"question": "where?", "choices": ["a", "b", "c", "d", "e"], "answer": "b"}
    (folder / "cqa_train.json").write_text(json.dumps(gold) + "\n", encoding="utf-8")
    told = ["It must be a place. So the answer is (b) b.\n\nQ: what?"]
    (folder / "llm_train_CoT_0.json").write_text(json.dumps(told), encoding="utf-8")
    ((row,), text) = bench.read_rows(tmp_path, 1)
    assert row["label"] == "b"
    assert row["rationale"] == "It must be a place."
    assert "PaLM" in text
