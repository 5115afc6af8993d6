"""What tables and figures are made from: kept in docs/, taken back, and enough to make the same table again."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_csv, write_json, write_text
from scripts.report import keep_measured
from scripts.report.kept_times import TIME_COLUMNS, machines_of, minutes_of

BENCHMARK = "results/t/benchmarks/x/measure.tsv"
KEEP = ("--jobs", "jobs.json", "--times", "docs/jobs.csv")


def job(outputs: list[str], inputs: list[str], benchmark: str = "") -> dict[str, object]:
    return {"inputs": inputs, "outputs": outputs, "benchmark": benchmark}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A run of two tables; return the flags of both directions."""
    monkeypatch.chdir(tmp_path)
    files = ("x/measured/a.csv", "x/scores.jsonl", "x/sets/one.jsonl", "x/sets/two/three.jsonl", "x/model.bin")
    for name in files:
        write_text(f"results/t/{name}", f"{name}\n")
    write_text("results/t/metrics.csv", "collected\n")
    write_text("results/t/x/unread.csv", "unread\n")
    write_text("results/t/x/large.csv", "x" * (keep_measured.LARGEST + 1))
    jobs = [
        job(["results/t/x/measured/a.csv"], ["results/t/x/model.bin"], BENCHMARK),
        job(["results/t/x/gone.csv"], ["results/t/x/model.bin"], "results/t/benchmarks/x/gone.tsv"),
        job(["results/t/tables/x_1.csv"], ["scripts/x.py", "results/t/x/measured/a.csv", "results/t/metrics.csv"]),
        job(["results/t/tables/x_2.csv"], ["results/t/x/sets", "results/t/x/scores.jsonl", "results/t/x/gone.csv"]),
        job(["results/t/figures/x_3.png"], ["results/t/tables/x_1.csv", "results/t/x/large.csv"]),
    ]
    write_json("jobs.json", jobs)
    write_text(BENCHMARK, "s\tmax_rss\n90.4\t-\n")
    return ["--results", "results/t", "--kept", "docs/t"]


def names(folder: str) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file()}


KEPT = {"x/measured/a.csv", "x/scores.jsonl", "x/sets/one.jsonl", "x/sets/two/three.jsonl"}


def test_kept_is_what_tables_and_figures_read(run: list[str], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    keep_measured.main([*run, *KEEP])
    assert names("docs/t") == KEPT
    assert "not kept, as larger than 1,048,576 bytes: 1" in caplog.text
    assert "4 files, 4 of them copied" in caplog.text
    keep_measured.main([*run, *KEEP])
    assert "4 files, 0 of them copied" in caplog.text


def test_only_what_is_missing_is_taken_back(run: list[str]) -> None:
    keep_measured.main([*run, *KEEP])
    Path("results/t/x/scores.jsonl").write_text("newer\n")
    Path("results/t/x/measured/a.csv").unlink()
    keep_measured.main(run)
    assert Path("results/t/x/scores.jsonl").read_text() == "newer\n"
    assert Path("results/t/x/measured/a.csv").read_text() == "x/measured/a.csv\n"


def test_nothing_to_keep_is_said(run: list[str]) -> None:
    write_json("jobs.json", [])
    with pytest.raises(UserError, match="results/t: nothing that a table or figure is made from; run the tier first"):
        keep_measured.main([*run, *KEEP])


def test_seconds_stand_beside_and_older_ones_stay(run: list[str]) -> None:
    write_text("docs/jobs.csv", "job,artifacts,seconds,processor,day\nbenchmarks/x/before,x_1,30,old one,2026-01-02\n")
    keep_measured.main([*run, *KEEP])
    rows = read_csv("docs/jobs.csv", TIME_COLUMNS)
    assert [row["job"] for row in rows] == ["benchmarks/x/before", "benchmarks/x/measure"]
    assert (rows[1]["artifacts"], rows[1]["seconds"]) == ("x_1 x_3", "90")
    assert minutes_of(rows, ["x_3"]) == 1.5
    assert minutes_of(rows, ["x_1", "x_3"]) == 2.0
    assert "old one, 2026-01-02" in machines_of(rows, ["x_1"])
    keep_measured.main([*run, *KEEP])
    assert read_csv("docs/jobs.csv", TIME_COLUMNS) == rows


def test_jobs_need_times(run: list[str]) -> None:
    with pytest.raises(UserError, match="--jobs needs --times"):
        keep_measured.main([*run, "--jobs", "jobs.json"])
