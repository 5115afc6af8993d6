"""Build the virtual environment of one kind of step from its YAML in `envs/`, for machines without conda.

The folder is built in place (virtual environments cannot be moved) and stamped at the end: a folder without a matching
stamp is built anew, a failed build is removed. The interpreter is the one that runs this file; the environment markers
in the YAML choose the versions that suit it.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import venv
from pathlib import Path
from typing import Sequence

from scripts.common.environments import Environment, read_environment
from scripts.common.errors import UserError, run_step
from scripts.common.files import read_text, write_text

STAMP = "thrift-stamp"
LOG = logging.getLogger(__name__)
NO_CONNECTION = re.compile(
    r"NewConnectionError|ConnectTimeoutError|NameResolutionError|ProxyError|ReadTimeoutError|Temporary failure|"
    r"Network is unreachable|Connection refused|CERTIFICATE_VERIFY_FAILED"
)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m scripts.make_venv", description=__doc__.splitlines()[0])
    parser.add_argument("--environment", required=True, type=Path, help="YAML file with a pip: list of exact pins")
    parser.add_argument("--venv-out", required=True, type=Path, help="folder of the virtual environment")
    return parser.parse_args(argv)


def stamp_of(environment: Environment) -> str:
    """Return the text that a finished environment carries: it changes with the pins and with the interpreter."""
    facts = [sys.version, os.path.realpath(sys.executable), *environment.pins]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest() + "\n"


def is_finished(folder: Path, environment: Environment) -> bool:
    """Tell whether `folder` was built to the end from these pins with this interpreter."""
    stamp = folder / STAMP
    return (folder / "bin" / "python").exists() and stamp.is_file() and read_text(stamp) == stamp_of(environment)


def fault_of(output: str, environment: Environment) -> str:
    """Turn the output of a failed pip into one line that says what to do."""
    missing = re.search(r"No matching distribution found for (\S+)", output)
    if NO_CONNECTION.search(output):
        return (
            f"{environment.path}: the package index cannot be reached; connect this machine to the network, "
            "or point PIP_INDEX_URL or PIP_FIND_LINKS at packages it can reach"
        )
    if missing:
        version = ".".join(map(str, sys.version_info[:2]))
        return (
            f"{environment.path}: the package index has no {missing[1]} for Python {version}; "
            "correct the pin or use another Python"
        )
    errors = [line for line in output.splitlines() if line.lower().startswith("error")]
    reason = errors[0].partition(":")[2].strip() if errors else "see the log above"
    return f"{environment.path}: pip could not install it ({reason}); mend the pins or the machine and run again"


def run_pip(python: Path, arguments: Sequence[str]) -> tuple[int, str]:
    """Run pip of the new environment, pass its output on to stderr, return its exit status and output."""
    command = [str(python), "-I", "-m", "pip", "--no-input", "--disable-pip-version-check", *arguments]
    lines: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                sys.stderr.write(line)
                lines.append(line)
        except BaseException:
            process.terminate()
            raise
    return process.returncode, "".join(lines)


def create(folder: Path, environment: Environment) -> None:
    """Make the virtual environment and install the pins. Raises `UserError` with one line if that fails."""
    try:
        venv.create(folder, with_pip=True, clear=True, symlinks=os.name != "nt")
    except subprocess.CalledProcessError:
        raise UserError(
            f"{folder}: this Python cannot make virtual environments; install its venv package "
            "(Debian and Ubuntu: apt install python3-venv)"
        ) from None
    status, output = run_pip(folder / "bin" / "python", ["install", "--progress-bar", "off", *environment.pins])
    if status:
        raise UserError(fault_of(output, environment))


def build(folder: Path, environment: Environment) -> None:
    """Build the environment whole or leave no folder behind; do nothing if it is already there.

    Of two builds of the same folder, in two runs that share it, the second waits and finds it there.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_name(f".{folder.name}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_finished(folder, environment):
            LOG.info("%s is up to date", folder)
            return
        try:
            create(folder, environment)
            write_text(folder / STAMP, stamp_of(environment))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def main(argv: Sequence[str] | None = None) -> None:
    """Build one environment; a termination signal ends the build as a fault does, with the folder removed."""
    args = parse_args(argv)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    build(args.venv_out, read_environment(args.environment))


if __name__ == "__main__":
    run_step(main)
