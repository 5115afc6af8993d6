"""Jobs and hours of a planned run: what is read from a dry run, how it is summed up."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.report.estimate_resources import Job, planned_jobs, summarise, to_lines, work_left

PLANNED = """
[Sat Nov 21 16:22:36 2026]
rule mend_train_distiller:
    input: a
    log: logs/a.log
    resources: tmpdir=/tmp, gpu=8, mem_mb=64000, mem=64 GB, runtime=2880
[Sat Nov 21 16:22:36 2026]
localrule data_download_file:
    output: b
    log: logs/b.log
    resources: tmpdir=/tmp
[Sat Nov 21 16:22:36 2026]
rule mend_all:
    input: a, b
    resources: tmpdir=/tmp
"""


def test_jobs_are_read_and_rules_that_only_gather_left_out() -> None:
    assert planned_jobs(PLANNED) == [Job("mend_train_distiller", 8, 2880.0), Job("data_download_file", 0, None)]


def test_hours_are_upper_bounds_and_measured_means_scale_with_the_jobs() -> None:
    jobs = [Job("a", 2, 90.0), Job("b", 0, None), Job("a", 2, 30.0)]
    first, second, total = summarise(jobs, {"a": (7200.0, 4)}, default_min=60)
    assert (first.rule, first.jobs, first.gpus_per_job) == ("a", 2, 2)
    assert first.hours_at_most == pytest.approx(2.0)
    assert first.gpu_hours_at_most == pytest.approx(4.0)
    assert first.hours_as_measured == pytest.approx(1.0)  # half an hour each
    assert (second.rule, second.hours_at_most, second.hours_as_measured) == ("b", 1.0, None)
    assert (total.jobs, total.hours_at_most, total.gpu_hours_at_most, total.hours_as_measured) == (3, 3.0, 4.0, 1.0)


def test_the_table_lines_up_and_shows_a_dash_for_what_was_never_measured() -> None:
    lines = to_lines(summarise([Job("a_long_rule", 0, 6.0)], {}, default_min=60))
    assert len({len(line) for line in lines}) == 1
    assert lines[0].split("  ")[0] == "rule"
    assert lines[1].endswith("-")
    assert "0.1" in lines[1]


def test_what_is_left_is_told_by_what_earlier_jobs_took(tmp_path: Path) -> None:
    assert work_left(["mend_train", "mend_train"], tmp_path) == "2 jobs that never ran before"
    for name, seconds in (("a", 100), ("b", 300)):
        path = tmp_path / "mend" / "train" / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:00\t10\n", encoding="utf-8")
    told = "3 jobs, 7 min of work one after the other, going by earlier runs; 1 never ran before"
    assert work_left(["mend_train", "mend_score", "mend_train"], tmp_path) == told
    path.write_text("s\tmax", encoding="utf-8")
    assert (
        work_left(["mend_train"], tmp_path)
        == f"{path}: not a Snakemake benchmark file; delete it and run its step again"
    )
