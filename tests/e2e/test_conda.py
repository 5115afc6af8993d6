"""Steps in environments made from their own YAML alone: by conda, or by a stand-in that builds the same pins.

That every other step's environment names what it imports is tests/unit/test_step_environments.py's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.standin_conda import install
from tests.workspace import REPO_ROOT, Workspace, environment

TINY = ("tests/overlays/tiny.yaml",)
TARGETS = ("nuggets_all", "results/tiny/data/tasks", "results/tiny/config.json")  # a step of each environment


def test_each_environment_is_complete_on_its_own(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "work")
    (workspace.folder / "tests").symlink_to(REPO_ROOT / "tests")
    (workspace.folder / ".venvs").unlink()  # the old environment must come from its YAML too
    paths = [] if shutil.which("conda") else [str(install(tmp_path / "conda"))]
    command = workspace.command(*TARGETS, configfiles=TINY)
    place = command.index("--configfile")
    done = subprocess.run(
        [*command[:place], "--sdm", "conda", "--conda-prefix", str(tmp_path / "environments"), *command[place:]],
        cwd=workspace.folder,
        # Nothing of the environment that runs the tests may be borrowed: only its interpreter starts Snakemake.
        env={**environment(), "PATH": ":".join([*paths, *_without_venv(os.environ["PATH"])])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert (workspace.folder / "results" / "tiny" / "tables" / "nuggets_table_1.csv").is_file()
    assert not (workspace.folder / ".venvs").exists()
    used = {path.name for path in (tmp_path / "environments").iterdir() if path.is_dir()}
    assert len(used) >= 5, "workflow, data, lm, report and preprocess"


def _without_venv(path: str) -> list[str]:
    """Return the folders of a PATH without those that belong to a virtual environment."""
    return [part for part in path.split(":") if not (Path(part).parent / "pyvenv.cfg").exists()]
