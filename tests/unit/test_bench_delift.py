"""DELIFT's benchmarks on tiny inputs: references that agree, sizes, ratios, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scripts.bench import delift_kernel, facility_location
from scripts.common.errors import UserError
from scripts.common.files import read_json
from tests.unit.delift_tiny import make_settings
from tests.unit.nuggets_tiny import instruction_rows, tiny

TARGETS = instruction_rows(7, seed=1, prefix="target")
EXAMPLES = instruction_rows(2, seed=2, prefix="example")


def test_the_released_scheme_gives_our_utilities() -> None:
    from scripts.delift.utility import UtilityScorer

    loaded = tiny()
    scorer = UtilityScorer(loaded, TARGETS, make_settings())
    released = delift_kernel.Released(loaded, scorer)
    for row in EXAMPLES:
        example = scorer.encoder.example(row)
        np.testing.assert_allclose(released.column(example), scorer.column(example), atol=1e-5)


def test_kernel_benchmark_on_real_rows(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delift_kernel, "WORDS", 1_200)
    monkeypatch.setattr(delift_kernel, "LEARNT_WORDS", 1_000)
    sizes = ["--rows", "3", "--columns", "1", "--repeats", "1", "--threads", "1", "--shared", str(shared)]
    delift_kernel.main(["--metrics-out", str(tmp_path / "kernel.json"), *sizes])
    result = read_json(tmp_path / "kernel.json")
    assert result["name"] == "delift_kernel"
    assert result["sizes"]["targets"] == 3
    assert result["references"]["released"]["max_abs_diff"] <= delift_kernel.TOLERANCE
    assert result["references"]["released"]["value"] > 0
    assert len(delift_kernel.table(result)) == 4


def test_kernel_benchmark_needs_the_rows(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--shared: no data/gsm8k/test.jsonl"):
        delift_kernel.bench_rows(tmp_path, 3)


def test_kernel_benchmark_without_real_rows_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("THRIFT_SHARED", raising=False)
    monkeypatch.setattr(delift_kernel, "WORDS", 1_200)
    monkeypatch.setattr(delift_kernel, "LEARNT_WORDS", 1_000)
    sizes = ["--rows", "3", "--columns", "1", "--repeats", "1", "--threads", "1"]
    delift_kernel.main(["--metrics-out", str(tmp_path / "kernel.json"), *sizes])
    assert read_json(tmp_path / "kernel.json")["sizes"]["source"] == "random weights; synthetic rows"


def test_facility_location_agrees_with_apricot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("apricot", reason="needs apricot-select (envs/dev.yaml)")
    monkeypatch.setattr(facility_location, "APRICOT_OPTIMISERS", ("naive",))  # each costs seconds to compile
    sizes = ["--candidates", "60", "--budget", "12", "--repeats", "1", "--threads", "1"]
    in_file = ["--file-candidates", "40", "--file-budget", "5"]
    facility_location.main(["--metrics-out", str(tmp_path / "greedy.json"), *sizes, *in_file])
    result = read_json(tmp_path / "greedy.json")
    apricot = result["references"]["apricot_naive"]
    assert apricot["objective"] == pytest.approx(result["objective"], rel=1e-6)
    assert result["references"]["apricot"]["value"] <= apricot["value"]
    assert result["in_file"]["objective"] > 0
    assert any("in a file" in line for line in facility_location.table(result))


def test_the_file_kernel_is_the_dense_one(tmp_path: Path) -> None:
    facility_location.write_kernel(tmp_path / "kernel.npy", 30)
    rows = facility_location.unit_rows(30)
    np.testing.assert_allclose(np.load(tmp_path / "kernel.npy"), facility_location.similarities(rows, rows), atol=1e-6)
