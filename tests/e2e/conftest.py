"""Made once for all tests: the default run, offline, on two cores, twice; a tiny one.

Two processes share the tests (`make test`): those of one run stay in one process, so that each run is made once.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.tiny import RESULTS, TARGET, TINY, digests, make_workspace
from tests.workspace import Workspace, environment

RUNS = ("results", "undisturbed_run")
"""Fixtures that are a whole run."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests that share a run in one process, and otherwise those of one file."""
    for item in items:
        used = [name for name in RUNS if name in getattr(item, "fixturenames", ())]
        item.add_marker(pytest.mark.xdist_group(used[0] if used else item.path.stem))


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


@pytest.fixture(scope="session")
def undisturbed_run(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The workspace of a tiny run on two cores that nobody disturbed."""
    workspace = make_workspace(tmp_path_factory.mktemp("undisturbed"))
    done = workspace.run(TARGET, configfiles=TINY)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert workspace.planned(TARGET, configfiles=TINY) == set()
    return workspace


@pytest.fixture(scope="session")
def undisturbed(undisturbed_run: Workspace) -> dict[str, str]:
    """Hashes of the results of the run that nobody disturbed."""
    return digests(undisturbed_run.folder / RESULTS)
