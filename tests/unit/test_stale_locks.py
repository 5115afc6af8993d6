"""Locks of killed runs go, locks of living or unknown runs stay."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scripts.common.files import read_json, write_json
from scripts.common.stale_locks import forget_run, note_run, release_stale_locks


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A `.snakemake` folder with a lock, older than every note."""
    (tmp_path / "locks").mkdir()
    for name in ("0.input.lock", "0.output.lock"):
        lock = tmp_path / "locks" / name
        lock.write_text("a\n")
        os.utime(lock, (1_000_000, 1_000_000))
    return tmp_path


def kill(folder: Path, **changes: object) -> Path:
    """Turn this process' note into one of a process that is gone."""
    note_run(folder)
    note = folder / "thrift_runs" / f"{os.getpid()}.json"
    write_json(note, {**read_json(note), "start": 1.0, **changes})
    return note


def test_the_lock_of_a_killed_run_goes(folder: Path) -> None:
    note = kill(folder)
    assert release_stale_locks(folder) == 2
    assert not list((folder / "locks").iterdir())
    assert not note.exists()


def test_the_lock_of_a_living_run_stays(folder: Path) -> None:
    note_run(folder)
    assert release_stale_locks(folder) == 0
    assert len(list((folder / "locks").iterdir())) == 2


def test_the_lock_of_another_machine_stays(folder: Path) -> None:
    kill(folder, host="elsewhere")
    assert release_stale_locks(folder) == 0


def test_a_lock_younger_than_every_note_stays(folder: Path) -> None:
    kill(folder)
    os.utime(folder / "locks" / "0.input.lock", (4_000_000_000, 4_000_000_000))
    assert release_stale_locks(folder) == 0


def test_a_lock_that_nobody_noted_stays(folder: Path) -> None:
    assert release_stale_locks(folder) == 0


def test_a_run_that_ended_well_leaves_no_note(folder: Path) -> None:
    note_run(folder)
    forget_run(folder)
    assert not list((folder / "thrift_runs").iterdir())
