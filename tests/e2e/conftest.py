"""The default run, made once for all tests that look at its results: offline, on two cores, twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.workspace import Workspace, environment


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the plain command twice; the second run must find nothing to do. Return the folder of the results."""
    workspace = Workspace(tmp_path_factory.mktemp("mini"))
    for attempt in ("first", "second"):
        done = subprocess.run(
            [sys.executable, "-m", "snakemake", "--cores", "2"],
            cwd=workspace.folder,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        assert ("Nothing to be done" in done.stdout + done.stderr) == (attempt == "second")
    return workspace.folder / "results" / "mini"
