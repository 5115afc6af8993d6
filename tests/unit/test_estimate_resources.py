"""Jobs and hours of a planned run: what is read from a dry run, how it is counted and summed up."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.data.registry import load_registry
from scripts.report.artifact_costs import cost_of, kind_of
from scripts.report.estimating import (
    COLUMNS,
    Estimator,
    Job,
    job_of,
    planned_jobs,
    summarise,
    to_lines,
    work_left,
)
from scripts.report.job_graph import planned_job, read_fields
from scripts.report.job_work import Costs, counted_seconds, factor, model_sizes, n_devices, read_costs, read_flags
from tests.workspace import all_rules

TRAIN = (
    "python -m scripts.lm.launch --processes 8 -m scripts.mend.train_distiller --model results/downloads/models/big"
    """ --variants '{"a": 1, "b": 2}' --settings '{"steps": 10, "train": {"batch_size": 4, "names": ["x", "y", "z"]},"""
    """ "prompt": "two\\nlines"}' --seeds 1 2 3 --start 100 --stop 350"""
)
PLANNED = f"""
[Sat Nov 21 16:22:36 2026]
rule mend_train_distiller:
    input: a
    output: trained
    log: logs/a.log
    resources: tmpdir=/tmp, gpu=1, mem_mb=64000, mem=64 GB, runtime=2880
Shell command: {TRAIN} > logs/a.log 2>&1

[Sat Nov 21 16:22:36 2026]
localrule data_download_file:
    output: a, b
    log: logs/b.log
    resources: tmpdir=/tmp
[Sat Nov 21 16:22:36 2026]
rule mend_table_2:
    input: trained, b
    output: table
    log: logs/t.log
    resources: tmpdir=/tmp
[Sat Nov 21 16:22:36 2026]
rule mend_all:
    input: table, b
    resources: tmpdir=/tmp
"""
COSTS = Costs(
    speed={"gpu": {"read": 1000, "train": 3000, "write": 10}, "cpu": {"read": 10, "train": 30, "write": 1}},
    other_seconds=5,
    other_gpu_seconds=3600,
    parameters={"untold": 100},
    seconds={"data_download_file": 20},
    rules={
        "mend_train_distiller": [
            {"do": "train", "model": "--model", "texts": ["--variants", "steps", "train.batch_size"], "tokens": [50]},
            {"do": "read", "model": "--model", "texts": ["shard"], "tokens": [2]},
        ]
    },
)
SIZES = {"big": 600.0}
# by hand: train 6 x 600 x (2 x 10 x 4 x 50) = 14.4 M operations, read 2 x 600 x (250 x 2) = 0.6 M
GPU_S, CPU_S = (14.4e6 / 3000 + 0.6e6 / 1000) / 8, 14.4e6 / 30 + 0.6e6 / 10


def test_jobs_are_read_and_rules_that_only_gather_left_out() -> None:
    jobs = planned_jobs(PLANNED)
    assert [(job.rule, job.gpus) for job in jobs] == [
        ("mend_train_distiller", 8),  # as many as its processes, whatever a profile cuts the request to
        ("data_download_file", 0),
        ("mend_table_2", 0),
    ]
    assert jobs[0].command.startswith("python -m scripts.lm.launch")
    assert job_of({"rule": "a", "command": TRAIN}).gpus == 0  # a run on processors alone asks for none


def test_a_command_of_several_lines_is_read_whole() -> None:
    text = "rule a:\n    log: l\nShell command: python -m x --separator '\n\n' --runs 1 2 > l 2>&1\n\n[Mon]\nrule b:\n"
    first, second = read_fields(text)
    assert read_flags(first["command"])["--runs"] == ["1", "2", ">", "l", "2>&1"]
    assert second == {"rule": "b"}


def test_factors_are_numbers_flags_settings_and_shards() -> None:
    flags = read_flags(TRAIN)
    found = [factor(name, flags) for name in (7, "--variants", "--seeds", "steps", "train.names", "shard")]
    assert found == [7, 2, 3, 10, 3, 250]
    for name in ("--absent", "absent", "prompt"):
        with pytest.raises(KeyError):
            factor(name, flags)
    assert n_devices(TRAIN) == 8
    assert n_devices("python -m scripts.mend.train") == 1


def test_operations_are_counted_and_shared_by_the_devices() -> None:
    rule = "mend_train_distiller"
    assert counted_seconds(rule, TRAIN, COSTS, SIZES, "gpu") == pytest.approx(GPU_S)
    assert counted_seconds(rule, TRAIN, COSTS, SIZES, "cpu") == pytest.approx(CPU_S)
    assert counted_seconds(rule, TRAIN.replace("/big", "/untold"), COSTS, SIZES, "cpu") == pytest.approx(CPU_S / 6)
    assert counted_seconds(rule, TRAIN.replace("/big", "/strange"), COSTS, SIZES, "gpu") is None
    assert counted_seconds("another", TRAIN, COSTS, SIZES, "gpu") is None


def test_hours_are_measured_counted_or_guessed_and_say_so() -> None:
    jobs = [*planned_jobs(PLANNED), Job("mend_table_2", 0)]
    rows = {row.rule: row for row in summarise(jobs, Estimator({"mend_table_2": (36.0, 4)}, COSTS, SIZES))}
    train, table, total = rows["mend_train_distiller"], rows["mend_table_2"], rows["total"]
    assert (train.gpus_per_job, train.basis) == (8, "counted")
    assert train.hours == pytest.approx(GPU_S / 3600)
    assert train.gpu_hours == pytest.approx(8 * GPU_S / 3600)
    assert train.hours_without_gpu == pytest.approx(CPU_S / 3600)
    assert (table.jobs, table.basis) == (2, "measured")
    assert table.hours == table.hours_without_gpu == pytest.approx(2 * 9 / 3600)
    assert rows["data_download_file"].hours == pytest.approx(20 / 3600)
    assert (total.jobs, total.basis) == (4, "measured+counted+guessed")
    assert total.hours == pytest.approx((GPU_S + 18 + 20) / 3600)


def test_the_table_lines_up() -> None:
    lines = to_lines(summarise([Job("a_long_rule", 0), Job("b", 1)], Estimator({}, COSTS, SIZES)), COLUMNS)
    assert lines[0].startswith("rule ")
    assert lines[1].split() == ["b", "1", "1", "1.0", "1.0", "1.0", "guessed"]
    assert {line.find("guessed") for line in lines[1:]} == {lines[0].find("basis")}


def test_what_is_left_is_told_with_what_is_guessed(tmp_path: Path) -> None:
    def told(*rules: str) -> str:
        return work_left([Job(rule, 0) for rule in rules], tmp_path, COSTS, SIZES, gpu=False)

    assert told("mend_score", "mend_score") == "2 jobs, 10 s of work one after the other: guessed"
    for name, seconds in (("a", 100), ("b", 300)):
        path = tmp_path / "mend" / "train" / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:00\t10\n", encoding="utf-8")
    assert told("mend_train") == "1 job, 3 min of work one after the other: going by earlier runs"
    both = "3 jobs, 7 min of work one after the other: 2 going by earlier runs, 1 guessed"
    assert told("mend_train", "mend_score", "mend_train") == both
    path.write_text("s\tmax", encoding="utf-8")
    assert told("mend_train") == f"{path}: not a Snakemake benchmark file; delete it and run its step again"


def test_an_artifact_costs_the_jobs_behind_it_and_no_others() -> None:
    found = [job for job in read_fields(PLANNED) if "log" in job]
    jobs = {planned_job(job): job_of(job) for job in found}
    estimator = Estimator({}, COSTS, SIZES)
    whole = cost_of("mend_table_2", ["table"], jobs, estimator, ["mend", "data"])
    assert (whole.jobs, whole.gpu_jobs, whole.kinds) == (3, 1, "1 train, 1 download, 1 table")
    assert whole.hours_with_gpu == pytest.approx((GPU_S + 20 + 5) / 3600)
    assert whole.hours_without_gpu == pytest.approx((CPU_S + 20 + 5) / 3600)
    raw = cost_of("mend_raw", ["b"], jobs, estimator, ["mend", "data"])
    assert (raw.jobs, raw.gpu_jobs, raw.kinds, raw.basis) == (1, 0, "1 download", "guessed")
    assert kind_of("head_to_head_score_answers", ["head", "head_to_head"]) == "score"


def test_the_costs_speak_of_rules_and_models_that_there_are(repo_root: Path) -> None:
    costs, models = read_costs(repo_root / "config" / "costs.yaml"), load_registry("models", [])
    assert {*costs.rules, *costs.seconds} - {*all_rules(), "venv"} == set()
    sizes = model_sizes(models)
    assert set(costs.parameters) <= set(models) - set(sizes)
    assert {name for name, row in models.items() if not row["local"]} <= {*sizes, *costs.parameters}
    assert sizes["gpt2_large"] == 774e6


def test_models_of_ones_own_need_no_title() -> None:
    models = {"own": {"title": None}, "other": {}, "named": {"title": "my own, 1.5 B parameters"}}
    assert model_sizes(models) == {"named": 1.5e9}


def test_a_factor_that_may_be_missing_counts_once() -> None:
    flags = {"--sets": ["a", "b"], "--settings": ['{"draws": 3}'], "--none": []}
    assert [factor(name, flags) for name in ("--sets?", "draws?", "--round?", "dpcs?", "--none?")] == [2, 3, 1, 1, 1]
    with pytest.raises(KeyError):
        factor("--round", flags)
