"""Ask the package index which of our pins have known vulnerabilities, through pip-audit (`make audit`).

An index without such a service, or a machine without network, is not a fault of ours: then the audit says that it was
not done, and ends well. A pin with a known vulnerability ends with status 1.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Sequence

from scripts.common.errors import UserError, run_step

TIMEOUT_S = 15  # of one question


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m scripts.audit", description=__doc__.splitlines()[0])
    parser.add_argument("--requirements", required=True, type=Path, help="exact pins, as pip reads them")
    parser.add_argument("--python", required=True, help="interpreter of an environment with pip-audit")
    parser.add_argument("--ignore", nargs="*", default=[], help="ids of vulnerabilities that do not concern us")
    return parser.parse_args(argv)


def ask(python: str, requirements: Path, ignored: Sequence[str]) -> list[dict[str, Any]] | str:
    """Return what pip-audit found out about each package, or in a few words why it found out nothing."""
    flags = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json", "--timeout", str(TIMEOUT_S)]
    flags += [word for name in ignored for word in ("--ignore-vuln", name)]
    command = [python, "-m", "pip_audit", "--requirement", str(requirements), *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        return json.loads(done.stdout)["dependencies"]
    except (json.JSONDecodeError, KeyError, TypeError):
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        return last[:200]


def verdict(found: list[dict[str, Any]] | str) -> tuple[str, list[str]]:
    """Return the result in one line, and a line for each pin with a known vulnerability."""
    if isinstance(found, str):
        return f"audit: not done: {found}", []
    asked = [row for row in found if "vulns" in row]
    if not asked:
        return (
            f"audit: not done: the package index tells nothing about vulnerabilities of our {len(found)} packages",
            [],
        )
    faults = [
        f"{row['name']} {row['version']}: {fault['id']}, mended in {', '.join(fault['fix_versions']) or 'no version'}"
        for row in asked
        for fault in row["vulns"]
    ]
    silent = f"; nothing is told about {len(found) - len(asked)} others" if len(asked) < len(found) else ""
    return f"audit: {len(asked)} packages asked about, {len(faults)} known vulnerabilities{silent}", faults


def main(argv: Sequence[str] | None = None) -> None:
    """Ask and tell."""
    args = parse_args(argv)
    if not args.requirements.is_file():
        raise UserError(f"{args.requirements}: no such file; check the path")
    line, faults = verdict(ask(args.python, args.requirements, args.ignore))
    sys.stdout.write("\n".join([*faults, line]) + "\n")
    if faults:
        raise UserError(f"{args.requirements}: raise the pins above in envs/*.yaml and run `make lock`")


if __name__ == "__main__":
    run_step(main)
