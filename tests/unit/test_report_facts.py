"""Facts of a run: step times from Snakemake's benchmark files, machine, commit."""

from __future__ import annotations

import subprocess

import pytest

from scripts.common.errors import UserError
from scripts.report.run_facts import (
    UNKNOWN,
    StepTime,
    cpu_model,
    git_commit,
    gpu_names,
    machine_facts,
    memory_size,
    read_step_times,
)

HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def benchmark(folder, name, *jobs):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEADER + "".join(f"{s}\t0:00:01\t{rss}\t1\t1\t1\t0\t0\t50\t1\n" for s, rss in jobs))


def test_step_times_are_summed_over_the_jobs_of_a_step(tmp_path):
    benchmark(tmp_path, "nuggets/train_model/pool/top.tsv", (2.5, 100.0), (3.5, 250.5))
    benchmark(tmp_path, "nuggets/train_model/pool/full.tsv", (1.0, "-"))
    benchmark(tmp_path, "nuggets/collect_metrics.tsv", (9.0, "NA"))
    benchmark(tmp_path, "download.tsv", (4.0, 10.0))
    assert read_step_times(tmp_path) == [
        StepTime("", "download", 1, 4.0, 4.0, 10.0),
        StepTime("nuggets", "collect_metrics", 1, 9.0, 9.0, None),
        StepTime("nuggets", "train_model", 3, 7.0, 3.5, 250.5),
    ]


def test_no_benchmarks_yet(tmp_path):
    assert read_step_times(tmp_path / "none") == []


@pytest.mark.parametrize("text", ["hello", "", HEADER, "a\tb\n1\t2\n", HEADER + "x\t0\t1\n", HEADER + "1.0\n"])
def test_another_file_among_the_benchmarks_is_named(tmp_path, text):
    (tmp_path / "other.tsv").write_text(text)
    with pytest.raises(UserError, match="other.tsv: not a Snakemake benchmark file"):
        read_step_times(tmp_path)


def test_machine_names(tmp_path):
    info = tmp_path / "info"
    info.write_text("processor\t: 0\nmodel name\t: Some  CPU @ 3 GHz\nMemTotal:       25165824 kB\n")
    assert cpu_model(info) == "Some CPU @ 3 GHz"
    assert memory_size(tmp_path / "none") == UNKNOWN
    info.write_text("MemTotal:       25165824 kB\n")
    assert memory_size(info) == "24 GiB"
    assert [name for name, value in machine_facts() if value] == [
        "processor",
        "cores",
        "memory",
        "GPU",
        "system",
        "Python",
    ]


def test_commit_of_a_repository_and_of_none(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    folder = tmp_path / "repository"
    folder.mkdir()
    assert git_commit(folder) == UNKNOWN

    def git(*words):
        name = ["-c", "user.name=n", "-c", "user.email=e", "-c", "commit.gpgsign=false"]
        answer = subprocess.run(["git", *name, *words], cwd=folder, check=True, capture_output=True, text=True)
        return answer.stdout.strip()

    git("init", "-q")
    (folder / "file").write_text("one")
    git("add", "file")
    git("commit", "-q", "-m", "first")
    commit = git("rev-parse", "HEAD")
    assert git_commit(folder) == commit
    (folder / "file").write_text("two")
    assert git_commit(folder) == f"{commit} with local changes"


def test_commit_without_git(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_commit(tmp_path) == UNKNOWN


@pytest.mark.parametrize(
    ("lines", "status", "names"),
    [
        ("NVIDIA A100\nNVIDIA A100\nNVIDIA T4", 0, "2 x NVIDIA A100, 1 x NVIDIA T4"),
        ("", 0, "none"),
        ("no driver", 9, "none"),
    ],
)
def test_gpus_are_those_that_the_driver_names(tmp_path, monkeypatch, lines, status, names):
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\ncat <<'END'\n{lines}\nEND\nexit {status}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert gpu_names() == names


def test_a_machine_without_the_driver_has_no_gpu(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpu_names() == "none"
