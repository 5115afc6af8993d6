"""The whole workflow made very small: the same bytes whatever the number of cores, and after being killed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from tests.tiny import RESULTS, TARGET, TINY, digests, make_workspace
from tests.workspace import Workspace, environment

GIVE_UP_S = 600


def test_one_core_gives_the_same_bytes(undisturbed: dict[str, str], tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "a folder with späces")
    done = workspace.run(TARGET, configfiles=TINY, cores="1")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert digests(workspace) == undisturbed
    assert any(name.startswith("figures/") for name in undisturbed)


def kill_when(workspace: Workspace, pattern: str) -> None:
    """Start the run and kill Snakemake and all its children as soon as a path matches `pattern`."""
    run = subprocess.Popen(
        workspace.command(TARGET, configfiles=TINY),
        cwd=workspace.folder,
        env=environment(),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    give_up = time.monotonic() + GIVE_UP_S
    while not any((workspace.folder / RESULTS).glob(pattern)):
        assert run.poll() is None, f"the run ended before {pattern} appeared"
        assert time.monotonic() < give_up, f"{pattern} did not appear"
        time.sleep(0.01)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()


def test_a_killed_run_goes_on_and_gives_the_same_bytes(undisturbed: dict[str, str], tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "killed")
    kill_when(workspace, "nuggets/scores/*/*/*/.shard_*")  # scoring has begun
    kill_when(workspace, "nuggets/checkpoints/*/*")  # so has fine-tuning
    done = workspace.run(TARGET, configfiles=TINY)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert digests(workspace) == undisturbed
