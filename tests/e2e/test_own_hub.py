"""`thrift choose` with a model that lies on the hub: fetched once, by its name, and said plainly where it is not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Iterator

import pytest

from tests.hub import files_below, running
from tests.workspace import REPO_ROOT, environment

POOL = [{"instruction": f"say {word}", "output": word * n} for n, word in enumerate(["one ", "two ", "three "], 1)]


def choose(folder: Path, server, model: str) -> subprocess.CompletedProcess[str]:
    """Type the command in `folder`, whose pool.json it makes, with the hub's address turned to `server`."""
    (folder / "pool.json").write_text(json.dumps(POOL), encoding="utf-8")
    hub = {
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HUB_OFFLINE": "0",
        "HF_HOME": str(folder / "home"),
    }
    command = [
        sys.executable,
        "-m",
        "scripts.own.cli",
        "choose",
        str(folder / "pool.json"),
        "--out",
        str(folder / "out"),
    ]
    return subprocess.run(
        [*command, "--by", "ifd", "--keep", "1", "--model", model, "--cores", "1"],
        cwd=REPO_ROOT, env={**environment(), **hub}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture
def name() -> Iterator[str]:
    """The id of a model that no run before has fetched; what is fetched is shared by all runs, and goes afterwards."""
    name = f"org/tiny-{uuid.uuid4().hex}"
    yield name
    for folder in (REPO_ROOT / "results/downloads/models").glob(f"*{name[9:].replace('-', '_')}*"):
        shutil.rmtree(folder) if folder.is_dir() else folder.unlink()


def test_a_model_of_the_hub_is_fetched_and_chooses(tmp_path: Path, name: str) -> None:
    with running(b"", {name: files_below(REPO_ROOT / "resources/mini/causal")}) as server:
        done = choose(tmp_path, server, name)
        assert done.returncode == 0, done.stderr[-4000:]
        assert "fetching a model" in done.stderr
        asked = sum(server.asked.values())
        assert len(json.loads((tmp_path / "out/chosen/ifd.json").read_text(encoding="utf-8"))) == 1
        again = choose(tmp_path, server, name)
        assert again.returncode == 0, again.stderr[-4000:]
        assert sum(server.asked.values()) == asked, "the model is there already"


def test_a_model_that_the_hub_lacks_is_one_line(tmp_path: Path, name: str) -> None:
    with running(b"", {}) as server:
        done = choose(tmp_path, server, name)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: --model: ")
    assert name in last
