"""The benchmark of gradient matching compares two ways that give the same."""

from __future__ import annotations

import pytest
import torch

from scripts.bench import ddg_gradient_matching as bench
from scripts.common.errors import UserError
from scripts.common.files import read_json

SMALL = {"classes": 3, "real_per_class": 5, "synthetic_per_class": 4, "tokens": 8}


def test_both_ways_agree_in_loss_and_gradient():
    work = bench.Work(SMALL)
    assert bench.compare(work) < 1e-6
    assert bench.run_ours(work)[1].abs().max() > 1e-5


def test_whole_steps_give_the_generator_equal_gradients(monkeypatch):
    work = bench.Work(SMALL)
    monkeypatch.setattr(work.generator, "zero_grad", lambda: None)
    found = []
    for step in (bench.run_whole_ours, bench.run_whole_autograd):
        for value in work.generator.parameters():
            value.grad = None
        step(work)
        found.append(torch.cat([value.grad.flatten() for value in work.generator.parameters()]))
    assert torch.allclose(*found, atol=1e-7)
    assert found[0].abs().max() > 1e-5


def test_results_that_differ_are_not_written(monkeypatch):
    work = bench.Work(SMALL)
    monkeypatch.setattr(bench, "run_autograd", lambda given: (0.0, torch.zeros(3, 4)))
    with pytest.raises(UserError, match="results differ"):
        bench.compare(work)


def test_the_result_has_the_common_form(monkeypatch, tmp_path):
    monkeypatch.setattr(bench, "SIZES", SMALL)
    bench.main(["--metrics-out", str(tmp_path / "x.json"), "--threads", "1", "--repeats", "1"])
    found = read_json(tmp_path / "x.json")
    keys = {"name", "ours", "references", "unit", "model", "sizes", "threads", "dtype", "machine", "date"}
    assert keys <= set(found)
    assert set(found["references"]["autograd"]) >= {"value", "ratio", "max_abs_diff"}
