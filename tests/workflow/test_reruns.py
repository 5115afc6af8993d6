"""What makes a job run again: the content of its code, inputs and parameters, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.workspace import REPO_ROOT, Workspace

TINY = ("tests/overlays/tiny.yaml",)
TARGETS = (
    "results/tiny/data/examples/mini_pool/train.jsonl",
    "results/tiny/data/examples/mini_mt_bench/test.jsonl",
)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with a finished small run and its own copy of the scripts."""
    workspace = Workspace(tmp_path_factory.mktemp("reruns"), "scripts")
    (workspace.folder / "tests").symlink_to(Path(__file__).resolve().parents[1])
    run = workspace.run(*TARGETS, configfiles=TINY)
    assert run.returncode == 0, run.stdout + run.stderr
    return workspace


def test_a_second_run_does_nothing(done: Workspace) -> None:
    assert done.planned(*TARGETS, configfiles=TINY) == set()


def test_a_checkout_reruns_nothing(done: Workspace) -> None:
    for path in (done.folder / "scripts").rglob("*.py"):
        os.utime(path)
    assert done.planned(*TARGETS, configfiles=TINY) == set()


def test_an_edited_helper_reruns_its_users_only(done: Workspace) -> None:
    schemas = done.folder / "scripts" / "data" / "schemas.py"
    before = schemas.read_text(encoding="utf-8")
    schemas.write_text(before + "\nEDITED = True\n", encoding="utf-8")
    try:
        assert done.planned(*TARGETS, configfiles=TINY) == {"data_prepare_examples"}
    finally:
        schemas.write_text(before, encoding="utf-8")
    assert done.planned(*TARGETS, configfiles=TINY) == set()


def test_an_edited_generator_reruns_what_stands_on_it(done: Workspace) -> None:
    generator = done.folder / "scripts" / "data" / "synthetic.py"
    before = generator.read_text(encoding="utf-8")
    generator.write_text(before + "\nEDITED = True\n", encoding="utf-8")
    try:
        assert done.planned(*TARGETS, configfiles=TINY) == {"data_generate_synthetic", "data_prepare_examples"}
    finally:
        generator.write_text(before, encoding="utf-8")


def test_a_changed_setting_reruns_its_users_only(done: Workspace, tmp_path: Path) -> None:
    overlay = tmp_path / "more.yaml"
    overlay.write_text("nuggets:\n  finetune:\n    learning_rate: 1.0e-4\n", encoding="utf-8")
    assert done.planned(*TARGETS, configfiles=(*TINY, str(overlay))) == set()
    overlay.write_text("data:\n  seed: 1\n", encoding="utf-8")
    assert done.planned(*TARGETS, configfiles=(*TINY, str(overlay))) == {
        "data_generate_synthetic",
        "data_prepare_examples",
    }


def test_an_outdated_environment_does_not_hide_the_rest_of_the_run(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "outdated")
    (workspace.folder / ".venvs").unlink()
    python = workspace.folder / ".venvs" / "preprocess" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    os.utime(python, (1e9, 1e9))
    planned = workspace.planned("results/tiny/data/tasks", *TARGETS, configfiles=(f"{REPO_ROOT}/{TINY[0]}",))
    assert planned == {"venv", "data_generate_synthetic", "data_prepare_tasks", "data_prepare_examples"}
