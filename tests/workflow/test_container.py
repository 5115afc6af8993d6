"""Steps in a container: an image made of the YAMLs in envs/, as far as it can be seen without a container engine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from scripts.common.environments import read_environment
from tests.long import LONG
from tests.standin_conda import install
from tests.workspace import REPO_ROOT, Workspace, environment

pytestmark = LONG  # plans of every environment

# Answers to --version, and runs what stands after the image as if it were inside.
STAND_IN = """#!/bin/sh
[ "$1" = --version ] && exec echo apptainer version 1.4.0
while [ "$1" != thrift.sif ]; do shift; done
shift
exec "$@"
"""
TARGET = "results/mini/nuggets/subsets/mini_pool/mini_causal/kmeans_40/top"


def run(folder: Path, *options: str, programs: Path) -> subprocess.CompletedProcess[str]:
    """Run Snakemake with the programs of a folder on its path."""
    path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), "/usr/bin", "/bin"])
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", *options],
        cwd=folder,
        env={**environment(), "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_definition_holds_every_environment_and_a_run_asks_for_these(tmp_path: Path) -> None:
    workspace, programs = Workspace(tmp_path / "work"), install(tmp_path / "conda")
    done = run(workspace.folder, "--containerize", "apptainer", programs=programs)
    assert done.returncode == 0, done.stdout + done.stderr
    used = re.findall(r"^    envs/(\w+)\.yaml (/conda-envs/\w+)/environment\.yaml$", done.stdout, flags=re.M)
    assert {name for name, _ in used} == {"data", "lm", "preprocess", "report", "workflow"}
    for name, prefix in used:
        assert f"conda env create --prefix {prefix} " in done.stdout
        for pin in read_environment(REPO_ROOT / "envs" / f"{name}.yaml").pins:
            assert f"- {pin}\n" in done.stdout

    asked = ("--sdm", "conda", "apptainer", "--config", "container=thrift.sif", "--dry-run", "--", TARGET)
    done = run(workspace.folder, *asked, programs=programs)
    assert done.returncode != 0
    assert "apptainer" in done.stdout + done.stderr, "without the program a line says so"
    (programs / "apptainer").write_text(STAND_IN)
    (programs / "apptainer").chmod(0o755)
    done = run(workspace.folder, *asked, programs=programs)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ".venvs" not in done.stdout + done.stderr, "the image holds the old environment too"
