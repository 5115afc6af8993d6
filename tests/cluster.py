"""Machines to send jobs to, for tests: a Slurm of one node, files in S3, and a Python that knows how to use them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import venv
from pathlib import Path
from typing import Callable, Iterator

import pytest
import requests

from scripts.common.environments import read_environment
from tests.workspace import REPO_ROOT

SLURM_CONF = Path("/etc/slurm/slurm.conf")
SERVER = (
    "moto[s3]==5.2.5",
    "flask==3.1.3",
    "flask-cors==6.0.5",
)  # an S3 in one process; in no environment of the project


def make_python(folder: Path, environment: str, *further: str) -> Path:
    """Make a virtual environment with what envs/<environment>.yaml adds to the one that runs; return its Python."""
    venv.create(folder)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    (packages / "below.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    python = folder / "bin" / "python"
    pins = read_environment(REPO_ROOT / "envs" / f"{environment}.yaml").pins
    # isolated: a setting of the environment could send packages elsewhere
    command = [sys.executable, "-I", "-m", "pip", "--python", str(python), "install", "--quiet", *pins, *further]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return python


def wait_for(what: str, check: Callable[[], object], *, give_up_s: float = 60) -> None:
    """Wait until `check()` is true."""
    end = time.monotonic() + give_up_s
    while not check():
        assert time.monotonic() < end, f"{what}: not after {give_up_s} s"
        time.sleep(0.2)


# ---- Slurm -----------------------------------------------------------------------------------------------------------


def ask(*command: str) -> str:
    """Return what a Slurm command prints; nothing if it fails."""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


@contextlib.contextmanager
def one_node_slurm(tools: Path) -> Iterator[None]:
    """Start a Slurm on this machine, with two GPUs that are none and a limit on memory that is one; stop it again.

    tools: folder of start-slurm.sh and stop-slurm.sh. Skips where Slurm runs already or may not be started.
    """
    if shutil.which("sinfo") and ask("sinfo", "--noheader"):
        pytest.skip("a Slurm is running here already, and the test wants one of its own")
    if os.geteuid() != 0 or not (shutil.which("slurmctld") or shutil.which("apt-get")):
        pytest.skip("starting a Slurm needs root, and Debian or Ubuntu to install it")
    started = subprocess.run([tools / "start-slurm.sh"], capture_output=True, text=True, check=False)
    try:
        if started.returncode:
            pytest.skip(f"Slurm cannot be started here: {started.stderr.strip().splitlines()[-1:]}")
        _equip(SLURM_CONF.resolve())
        yield
    finally:
        subprocess.run([tools / "stop-slurm.sh"], capture_output=True, check=True)


def _equip(conf: Path) -> None:
    """Give the node GPUs and a partition for them, have jobs above their memory killed, and start the daemons anew."""
    text = conf.read_text(encoding="utf-8")
    node = next(line for line in text.splitlines() if line.startswith("NodeName="))
    text = text.replace(node, node.replace(" State=", " Gres=gpu:2 State="))
    text = text.replace("jobacct_gather/none", "jobacct_gather/linux")
    text += "JobAcctGatherFrequency=task=1\nJobAcctGatherParams=OverMemoryKill\nGresTypes=gpu\n"
    text += f"PartitionName=gpu Nodes={node.split()[0].partition('=')[2]} State=UP\n"
    conf.write_text(text, encoding="utf-8")
    # Slurm counts the device files; these two are on every Linux.
    (conf.parent / "gres.conf").write_text("Name=gpu File=/dev/zero\nName=gpu File=/dev/full\n", encoding="utf-8")
    for name in ("slurmd", "slurmctld"):
        pid = int((conf.parent / f"{name}.pid").read_text(encoding="utf-8"))
        os.kill(pid, signal.SIGTERM)
        wait_for(f"end of {name}", lambda pid=pid: not Path(f"/proc/{pid}").exists())
    for name in ("slurmctld", "slurmd"):
        subprocess.run([name, "-f", str(conf)], env={**os.environ, "SLURM_CONF": str(conf)}, check=True)
    wait_for("Slurm with GPUs", lambda: ask("sinfo", "--noheader", "--format=%T %G").startswith("idle gpu:2"))


# ---- S3 --------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def s3_server(python: Path, bucket: str) -> Iterator[str]:
    """Serve an empty S3 bucket on this machine; give the server's address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [python, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for("S3 server", lambda: _listens(port))
        address = f"http://127.0.0.1:{port}"
        put(f"{address}/{bucket}", b"")
        yield address
    finally:
        server.terminate()
        server.wait()


def _listens(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


def put(url: str, content: bytes) -> None:
    """Write an object (or make a bucket)."""
    requests.put(url, data=content, timeout=60).raise_for_status()
