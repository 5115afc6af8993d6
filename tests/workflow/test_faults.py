"""Machines that misbehave: the run stops with one clear line, and the next one completes it with the same bytes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Iterator

import pytest

from tests.long import LONG
from tests.workspace import REPO_ROOT, Workspace, environment

pytestmark = LONG  # fifteen runs

TINY = (str(REPO_ROOT / "tests" / "overlays" / "tiny.yaml"),)
TARGETS = (
    "results/tiny/data/examples/mini_pool/train.jsonl",
    "results/tiny/data/examples/mini_anchors/train.jsonl",
    "results/tiny/data/examples/mini_mt_bench/test.jsonl",
)


def start(workspace: Workspace, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the targets with other environment variables."""
    return subprocess.run(
        workspace.command(*TARGETS, configfiles=TINY),
        cwd=workspace.folder,
        env={**environment(), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def digests(workspace: Workspace) -> dict[str, str]:
    """Return {target: hash}."""
    return {name: hashlib.sha256((workspace.folder / name).read_bytes()).hexdigest() for name in TARGETS}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Hashes of a run on a machine that behaves."""
    workspace = Workspace(tmp_path_factory.mktemp("behaves"))
    done = start(workspace)
    assert done.returncode == 0, done.stdout + done.stderr
    return digests(workspace)


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param({"LC_ALL": "C", "TZ": "Pacific/Kiritimati"}, id="ASCII locale, another date"),
        pytest.param({"LC_ALL": "C.UTF-8", "TZ": "America/Anchorage", "PYTHONHASHSEED": "7"}, id="another zone"),
        pytest.param({"HOME": "/dev/null/nobody", "XDG_CACHE_HOME": "{folder}/cache"}, id="home without write access"),
    ],
)
def test_the_surroundings_change_no_byte(expected: dict[str, str], tmp_path: Path, variables: dict[str, str]) -> None:
    workspace = Workspace(tmp_path)
    done = start(workspace, **{name: value.format(folder=tmp_path) for name, value in variables.items()})
    assert done.returncode == 0, done.stdout + done.stderr
    assert digests(workspace) == expected


def test_another_working_directory(expected: dict[str, str], tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "project")
    (tmp_path / "elsewhere").mkdir()
    command = workspace.command(*TARGETS, configfiles=TINY)
    place = command.index("--configfile")
    # --configfile is relative to where the user stands, so here it has to name the whole path.
    command = [str(workspace.folder / word) if word.startswith("config/tiers") else word for word in command]
    where = ["--snakefile", "../project/Snakefile", "--directory", "../project"]
    done = subprocess.run(
        [*command[:place], *where, *command[place:]],
        cwd=tmp_path / "elsewhere",
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert digests(workspace) == expected
    assert list((tmp_path / "elsewhere").iterdir()) == []


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """Mount a disk of `size` on `folder`; skips where mounting is not allowed."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def remount(folder: Path, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", str(folder)], check=True)


def test_a_full_disk(tmp_path: Path) -> None:
    (tmp_path / "large.yaml").write_text("synthetic: {pool_size: 8000}\n", encoding="utf-8")
    target, files = TARGETS[0], (*TINY, str(tmp_path / "large.yaml"))
    undisturbed = Workspace(tmp_path / "undisturbed")
    assert undisturbed.run(target, configfiles=files).returncode == 0
    workspace = Workspace(tmp_path / "full")
    results = workspace.folder / "results"
    with small_disk(results, "400k"):
        done = workspace.run(target, configfiles=files)
        assert done.returncode != 0
        told = done.stdout + done.stderr
        assert "No space left on device; free some disk space and run again: what is finished stays" in told, told
        assert not (workspace.folder / target).exists()
        remount(results, "size=64m")
        done = workspace.run(target, configfiles=files)
        assert done.returncode == 0, done.stdout + done.stderr
        assert (workspace.folder / target).read_bytes() == (undisturbed.folder / target).read_bytes()


def test_results_that_cannot_be_written(expected: dict[str, str], tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    results = workspace.folder / "results"
    with small_disk(results, "64m"):
        remount(results, "ro")
        done = start(workspace)
        assert done.returncode != 0
        told = done.stdout + done.stderr
        assert "Read-only file system" in told, told
        remount(results, "rw")
        done = start(workspace)
        assert done.returncode == 0, done.stdout + done.stderr
        assert digests(workspace) == expected


def test_two_runs_at_once(expected: dict[str, str], tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    first = subprocess.Popen(
        workspace.command(*TARGETS, configfiles=TINY),
        cwd=workspace.folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    locks = workspace.folder / ".snakemake" / "locks"
    give_up = time.monotonic() + 120
    while not (locks.is_dir() and any(locks.iterdir())):
        assert first.poll() is None, "the first run ended before it locked the folder"
        assert time.monotonic() < give_up, "the first run locked nothing"
        time.sleep(0.01)
    first.send_signal(signal.SIGSTOP)  # or it may be done before the second has looked
    second = start(workspace)
    first.send_signal(signal.SIGCONT)
    assert second.returncode != 0
    assert "cannot be locked" in second.stdout + second.stderr
    assert first.wait(timeout=300) == 0
    assert digests(workspace) == expected


def test_conda_is_asked_for_and_not_there(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    command = workspace.command(*TARGETS, configfiles=TINY)
    place = command.index("--configfile")
    done = subprocess.run(
        [*command[:place], "--sdm", "conda", *command[place:]],
        cwd=workspace.folder,
        env={**environment(), "PATH": f"{Path(sys.executable).parent}{os.pathsep}/usr/bin{os.pathsep}/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    if shutil.which("conda", path="/usr/bin:/bin"):
        pytest.skip("a conda lies in /usr/bin")
    assert done.returncode != 0
    assert "Is conda installed and accessible?" in done.stdout + done.stderr
