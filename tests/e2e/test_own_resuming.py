"""A comparison that is killed or stopped goes on by the same command and ends with the same bytes."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.own_rows import write_pool
from tests.workspace import REPO_ROOT, environment

COMMAND = "compare pool.json --goal good.json --model MODEL --by ifd --keep 20% --epochs 1 --cores 2"
WRITTEN = "results/own/head_to_head"
TIMED = ("times_choosing.csv", ".run.json")
"""Ends of files that hold seconds."""


def start(folder: Path) -> subprocess.Popen[str]:
    """Start the command."""
    words = [str(REPO_ROOT / "resources/mini/causal") if word == "MODEL" else word for word in COMMAND.split()]
    return subprocess.Popen(
        [sys.executable, "-m", "scripts.own.cli", *words],
        cwd=folder,
        env={**environment(), "PYTHONPATH": str(REPO_ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(folder: Path) -> str:
    """Run the command to its end; return what it says."""
    process = start(folder)
    said = process.communicate()[0]
    assert process.returncode == 0, said[-4000:]
    return said


def prepared(folder: Path) -> Path:
    """Return a folder with pool and goal."""
    folder.mkdir()
    write_pool(folder, 40)
    write_pool(folder, 6, "good.json")
    return folder


def digests(folder: Path) -> dict[str, str]:
    """Return the hashes of all that a comparison computed, and of its table but for the seconds."""
    run = folder / "pool_thrift" / "run_compare"
    files = [path for path in (run / WRITTEN).rglob("*") if path.is_file() and not path.name.endswith(TIMED)]
    found = {path.relative_to(run).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    table = (folder / "pool_thrift/compared/compared.csv").read_text(encoding="utf-8").splitlines()
    return {**found, "table": "\n".join(line.rpartition(",")[0] for line in table)}


def workers(folder: Path) -> list[int]:
    """Return the processes that work in a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cwd").resolve().is_relative_to(folder.resolve()):
                found.append(int(entry.name))
        except OSError:  # gone, or not ours
            continue
    return found


def wait_for_training(process: subprocess.Popen[str]) -> None:
    """Read what a command says until it trains."""
    assert process.stdout is not None
    for line in process.stdout:
        if "training on a choice" in line:
            return
    raise AssertionError("it ended before it trained")


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="needs /proc to find the processes of a run")
def test_killed_and_stopped_it_ends_with_the_same_bytes(tmp_path: Path) -> None:
    quiet = prepared(tmp_path / "quiet")
    finish(quiet)
    disturbed = prepared(tmp_path / "disturbed")
    process = start(disturbed)
    wait_for_training(process)
    for number in workers(disturbed):
        os.kill(number, signal.SIGKILL)
    process.wait()
    process = start(disturbed)
    wait_for_training(process)
    time.sleep(1)
    process.send_signal(signal.SIGTERM)
    said = process.communicate()[0]
    assert process.returncode == 1
    assert said.splitlines()[-1] == "error: stopped; what is finished stays: the same command goes on"
    assert workers(disturbed) == []
    finish(disturbed)
    assert digests(disturbed) == digests(quiet)
    shutil.rmtree(tmp_path / "quiet")
