"""What tables and figures are made from: kept in docs/, taken back, and enough to make the same table again."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.common.errors import UserError
from scripts.common.files import write_json, write_text
from scripts.report import keep_measured


def job(outputs: list[str], inputs: list[str]) -> dict[str, object]:
    return {"inputs": inputs, "outputs": outputs, "benchmark": ""}


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
        job(["results/t/x/measured/a.csv"], ["results/t/x/model.bin"]),
        job(["results/t/tables/x_1.csv"], ["scripts/x.py", "results/t/x/measured/a.csv", "results/t/metrics.csv"]),
        job(["results/t/tables/x_2.csv"], ["results/t/x/sets", "results/t/x/scores.jsonl", "results/t/x/gone.csv"]),
        job(["results/t/figures/x_3.png"], ["results/t/tables/x_1.csv", "results/t/x/large.csv"]),
    ]
    write_json("jobs.json", jobs)
    return ["--results", "results/t", "--kept", "docs/t"]


def names(folder: str) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file()}


KEPT = {"x/measured/a.csv", "x/scores.jsonl", "x/sets/one.jsonl", "x/sets/two/three.jsonl"}


def test_kept_is_what_tables_and_figures_read(run: list[str], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    keep_measured.main([*run, "--jobs", "jobs.json"])
    assert names("docs/t") == KEPT
    assert "not kept, as larger than 1,048,576 bytes: 1" in caplog.text
    assert "4 files, 4 of them copied" in caplog.text
    keep_measured.main([*run, "--jobs", "jobs.json"])
    assert "4 files, 0 of them copied" in caplog.text


def test_only_what_is_missing_is_taken_back(run: list[str]) -> None:
    keep_measured.main([*run, "--jobs", "jobs.json"])
    Path("results/t/x/scores.jsonl").write_text("newer\n")
    Path("results/t/x/measured/a.csv").unlink()
    keep_measured.main(run)
    assert Path("results/t/x/scores.jsonl").read_text() == "newer\n"
    assert Path("results/t/x/measured/a.csv").read_text() == "x/measured/a.csv\n"


def test_nothing_to_keep_is_said(run: list[str]) -> None:
    write_json("jobs.json", [])
    with pytest.raises(UserError, match="results/t: nothing that a table or figure is made from; run the tier first"):
        keep_measured.main([*run, "--jobs", "jobs.json"])
