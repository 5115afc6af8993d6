"""The benchmark of the in-context evaluation compares two ways that give the same."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.bench import ddg_icl as bench
from scripts.common.errors import UserError
from scripts.common.files import read_json

SMALL = {"queries": 5, "prefix_tokens": 40, "query_words": 4, "labels": 3, "new_tokens": 2}


def test_the_result_has_the_common_form(monkeypatch, tmp_path):
    monkeypatch.setattr(bench, "SIZES", SMALL)
    bench.main(["--metrics-out", str(tmp_path / "x.json"), "--threads", "1", "--repeats", "1"])
    found = read_json(tmp_path / "x.json")
    keys = {"name", "ours", "references", "unit", "model", "sizes", "threads", "dtype", "machine", "date"}
    assert keys <= set(found)
    assert found["references"]["uncached"]["max_abs_diff"] < bench.TOLERANCE


def test_answers_that_differ_are_not_written(monkeypatch):
    from scripts.lm.load import load_model

    work = bench.Work(load_model(bench.MODEL, dtype="float32", device="cpu"), SMALL)
    scores = np.zeros((5, 3))
    monkeypatch.setattr(bench, "run_ours", lambda given: (["a"] * 5, scores))
    monkeypatch.setattr(bench, "run_uncached", lambda given: (["b"] * 5, scores))
    with pytest.raises(UserError, match="5 answers differ"):
        bench.compare(work)
