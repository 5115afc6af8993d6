"""Go on after a kill: a Snakemake that was killed leaves its lock behind, and the next one would ask for `--unlock`.

Each run notes who it is (`note_run`) and takes the note back when it ends. A lock whose every noted run on this machine
is gone belongs to nobody and is removed (`release_stale_locks`). In doubt (a run noted by another machine, a lock
younger than every note) the lock stays, and Snakemake says what to do.
"""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path

from scripts.common.files import PathLike, read_json, write_json

LOCKS = "locks"
RUNS = "thrift_runs"


def _start_of(pid: int) -> float | None:
    """Return when the process `pid` started (seconds since the epoch), None if there is none."""
    import psutil  # comes with Snakemake; the only place that runs this

    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return None


def note_run(folder: PathLike) -> None:
    """Note that this process works in the workflow whose `.snakemake` is `folder`."""
    pid = os.getpid()
    write_json(Path(folder) / RUNS / f"{pid}.json", {"host": socket.gethostname(), "pid": pid, "start": _start_of(pid)})


def forget_run(folder: PathLike) -> None:
    """Take back this process' note."""
    (Path(folder) / RUNS / f"{os.getpid()}.json").unlink(missing_ok=True)


def release_stale_locks(folder: PathLike) -> int:
    """Remove the locks in `folder` if the runs that took them were killed; return how many were removed."""
    locks = list((Path(folder) / LOCKS).glob("*.lock"))
    notes = list((Path(folder) / RUNS).glob("*.json"))
    if not locks or not notes:
        return 0
    for note in notes:
        run = read_json(note)
        if run["host"] != socket.gethostname() or _start_of(run["pid"]) == run["start"]:
            return 0
    if max(lock.stat().st_mtime for lock in locks) > max(note.stat().st_mtime for note in notes):
        return 0
    for path in [*locks, *notes]:
        path.unlink(missing_ok=True)
    logging.getLogger(__name__).warning("removed the lock of a run that was killed")
    return len(locks)
