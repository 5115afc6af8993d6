"""docs/benchmarks.md follows from docs/benchmarks.csv, and the CSV takes what `make bench` writes."""

from __future__ import annotations

import json

import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_csv, write_csv
from scripts.report import collect_benchmarks, write_benchmarks_page
from scripts.report.benchmark_rows import BENCHMARK_COLUMNS, read_benchmarks
from scripts.report.write_benchmarks_page import page
from tests.workspace import REPO_ROOT

CSV = REPO_ROOT / "docs" / "benchmarks.csv"
RESULT = {
    "name": "scorer",
    "model": "tiny",
    "unit": "pairs per second",
    "ours": 12.0,
    "references": {
        "released": {"value": 4.0, "ratio": 3.0, "ratio_is": "speed of ours / speed of the reference"},
        "floor": {"value": 24.0, "ratio": 2.0, "ratio_is": "time of ours / time of the floor"},
        "submodlib": {"value": None, "ratio": None, "note": "not installed"},
    },
    "threads": 1,
    "dtype": "float32",
    "machine": "A CPU, 2 cores",
    "date": "2026-12-01",
    "peak_memory_mib": {"100": 5.5},
}
OLD = dict(
    zip(BENCHMARK_COLUMNS, ("scorer", "the released scheme; tiny", "2.5", "2026-11-01", "A CPU, 2 cores", "old"))
)


def test_the_committed_page_is_that_of_the_committed_csv():
    text = (REPO_ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert text == page(read_benchmarks(CSV)), "run `make bench-page`, or `snakemake --cores all gallery`"


def test_results_become_rows_and_earlier_measurements_stay(tmp_path):
    write_csv(tmp_path / "b.csv", [OLD], BENCHMARK_COLUMNS)
    (tmp_path / "scorer.json").write_text(json.dumps({**RESULT, "also": [{**RESULT, "model": "other"}]}))
    flags = ["--results", str(tmp_path / "scorer.json"), "--benchmarks", str(tmp_path / "b.csv")]
    for _ in range(2):  # the second time replaces the rows of the first
        collect_benchmarks.main([*flags, "--benchmarks-out", str(tmp_path / "b.csv")])
    rows = read_csv(tmp_path / "b.csv", BENCHMARK_COLUMNS)
    assert [(row["compared"], row["ratio"]) for row in rows] == [
        ("the released scheme; tiny", "2.5"),
        ("the released scheme; tiny", "3"),
        ("the bare output layer; tiny", "0.5"),
        ("the released scheme; other", "3"),
        ("the bare output layer; other", "0.5"),
    ]
    assert rows[1]["date"] == "2026-12-01"
    assert rows[1]["note"] == "12 against 4 pairs per second; 1 thread; float32; peak memory in MiB: 100 5.5"
    write_benchmarks_page.main(["--benchmarks", str(tmp_path / "b.csv"), "--page-out", str(tmp_path / "b.md")])
    now, earlier = (tmp_path / "b.md").read_text().split("## Earlier measurements")
    assert "| `scorer` | the released scheme; tiny | 3 | 2026-12-01 |" in now
    assert "| `scorer` | the released scheme; tiny | 2.5 | 2026-11-01 |" in earlier


def test_parts_of_a_result_have_rows_of_their_own():
    whole = {"ours": 3.0, "autograd": 2.0, "ratio": 1.5}
    file = {"candidates": 20_000, "budget": 2_000, "seconds": 27.0, "objective": 1.0, "peak_mib": 3000.0}
    result = {**RESULT, "references": {}, "model": None, "step_with_generator": whole, "in_file": file}
    del result["peak_memory_mib"]
    rows = collect_benchmarks.rows_of(result, "x.json")
    assert [(row["compared"], row["ratio"], row["note"]) for row in rows] == [
        (
            "automatic differentiation through the encoder, with the generator's passes",
            "1.5",
            "3 against 2 pairs per second; 1 thread; float32",
        ),
        ("none: a kernel in a file", "", "2,000 chosen of 20,000 in 27 s, 3000 MiB"),
    ]


def test_a_measurement_without_date_or_processor_is_refused(tmp_path):
    for key, value, said in (
        ("date", "", "line 2: 'date' is empty"),
        ("processor", "", "line 2: 'processor' is empty"),
        ("date", "yesterday", "dates are YYYY-MM-DD"),
        ("ratio", "-1", "must be above 0"),
    ):
        write_csv(tmp_path / "b.csv", [{**OLD, key: value}], BENCHMARK_COLUMNS)
        with pytest.raises(UserError, match=said):
            read_benchmarks(tmp_path / "b.csv")
    with pytest.raises(UserError, match="x.json: 'references' is missing"):
        collect_benchmarks.rows_of({key: value for key, value in RESULT.items() if key != "references"}, "x.json")
