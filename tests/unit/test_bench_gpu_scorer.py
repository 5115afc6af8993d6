"""The GPU benchmark, tried on the CPU at a small shape: operations, rate, equality, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from scripts.bench import gpu_scorer
from scripts.common.errors import UserError
from scripts.common.files import read_json
from scripts.lm.score import Continuation
from scripts.report.collect_benchmarks import rows_of

SMALL = ("--device", "cpu", "--shape", "32x1", "--dtype", "float32", "--repeats", "1", "--threads", "1")


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer texts and a narrower product than on a GPU."""
    texts = gpu_scorer.read_texts(None)
    monkeypatch.setattr(gpu_scorer, "read_texts", lambda shared: (texts[0][:4], texts[1][:40], "made up"))
    monkeypatch.setattr(gpu_scorer, "WIDE", 512)


def test_result_says_rate_share_and_hours(tmp_path: Path) -> None:
    gpu_scorer.main(["--metrics-out", str(tmp_path / "gpu.json"), *SMALL])
    result = read_json(tmp_path / "gpu.json")
    sizes = result["sizes"]
    assert sizes["hours_for_the_papers_pool"] == pytest.approx(52_002 / result["ours"], rel=0.1)
    share = sizes["teraflop_a_candidate"] * result["ours"] / 3600 / sizes["teraflops_of_products"]
    assert share == pytest.approx(sizes["model_flop_utilisation"], rel=0.3)  # printed in few digits
    assert sizes["largest_difference_to_float32"] == 0.0
    (row,) = rows_of(result, "gpu.json")
    assert row["compared"] == "the device's bare matrix products; llama_32x1"
    assert "the paper's 52,002 candidates would take" in row["note"]


def test_operations_are_those_that_the_model_does() -> None:
    model = gpu_scorer.random_llama("32x2", "cpu", torch.float32)
    layer = 4 * 32 * 32 + 3 * 32 * 86
    norms = 5 * 32  # two a layer and the last; their operations are few
    pairs = [Continuation((1, 2), (3, 4, 5))]
    weights = 2 * (2 * layer + norms) * (10 + 5) + 2 * 32_000 * 32 * 3
    attention = 4 * 32 * 2 * (10 * 10 / 2 + 5 * 10 + 5 * 5 / 2)
    assert gpu_scorer.operations(model, 10, pairs) == weights + attention


def test_shapes_and_devices_that_are_none() -> None:
    with pytest.raises(UserError, match="--shape is 'large'; give width x layers"):
        gpu_scorer.random_llama("large", "cpu", torch.float32)
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match="--device cuda: torch sees no GPU here"):
            gpu_scorer.main(["--metrics-out", "x.json"])
