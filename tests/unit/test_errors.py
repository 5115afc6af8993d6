"""How a step ends: one line and status 1 for what a user can mend, a traceback for what is our fault."""

from __future__ import annotations

import errno
import subprocess
import sys

import pytest

from scripts.common.errors import UserError, did_you_mean, run_step


def test_did_you_mean_finds_a_near_word():
    assert did_you_mean("stepz", ["steps", "seeds"]) == " (did you mean 'steps'?)"
    assert did_you_mean("qqq", ["steps", "seeds"]) == ""
    assert did_you_mean("steps", []) == ""


def raising(error: BaseException):
    def main() -> None:
        raise error

    return main


def test_user_error_becomes_one_line():
    with pytest.raises(SystemExit) as end:
        run_step(raising(UserError("pool.jsonl:3: broken JSON; mend it")))
    assert end.value.code == "error: pool.jsonl:3: broken JSON; mend it"


@pytest.mark.parametrize(
    "number, line",
    [
        (
            errno.ENOSPC,
            "error: out.json: No space left on device; free some disk space and run again: what is finished stays",
        ),
        (errno.EROFS, "error: out.json: Read-only file system; the file system is read-only: choose another folder"),
        (errno.EACCES, "error: out.json: Permission denied; check the permissions"),
        (errno.ENOENT, "error: out.json: No such file or directory; check the path"),
    ],
)
def test_faults_of_the_disk_name_file_and_remedy(number, line):
    import os

    with pytest.raises(SystemExit) as end:
        run_step(raising(OSError(number, os.strerror(number), "out.json")))
    assert end.value.code == line


def test_other_errors_keep_their_traceback():
    with pytest.raises(ZeroDivisionError):
        run_step(raising(ZeroDivisionError()))
    with pytest.raises(ConnectionResetError):
        run_step(raising(ConnectionResetError(errno.ECONNRESET, "reset")))


def test_exit_status_and_stderr_of_a_real_process(repo_root):
    program = (
        "from scripts.common.errors import UserError, run_step\n"
        "def main(): raise UserError('key: fault; remedy')\n"
        "run_step(main)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=repo_root, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "error: key: fault; remedy\n")
