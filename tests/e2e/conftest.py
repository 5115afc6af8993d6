"""Made once for all tests: the default run, offline, on two cores, twice; a tiny one.

Two processes share the tests (`make test`): those of one run stay in one process, so that each run is made once.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.tiny import RESULTS, TARGET, TINY, digests, make_workspace
from tests.workspace import Workspace, environment

DEFAULT_RUN = {
    "test_ddg",
    "test_delift",
    "test_head_to_head",
    "test_mend",
    "test_mini",
    "test_slurm",
    "test_step_by_step",
}
"""Files whose tests read the default run."""


class ByRun(LoadScopeScheduling):
    """Give one process all tests of the default run, and otherwise those of one file."""

    def _split_scope(self, nodeid: str) -> str:
        file = Path(nodeid.partition("::")[0])
        return "default run" if file.stem in DEFAULT_RUN else str(file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByRun:
    """Share the tests by run."""
    return ByRun(config, log)


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
