"""Write `requirements.lock`, the exact versions of `.venv`, from the pins of the modern environments in `envs/`.

pip resolves the merged pins once for each Python that is supported. What all agree on stands in the lock without a
condition, what differs gets a marker. torch comes as a CPU or a CUDA build, and the latter brings its CUDA packages by
exact pins of its own: those are left out, so that the lock never adds gigabytes to a CPU build. There are no hashes and
no index addresses for the same reason.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Collection, Mapping, Sequence

from scripts.common.environments import Environment, canonical_name, read_environment, split_pin
from scripts.common.errors import UserError, run_step
from scripts.common.files import read_json, write_text

LOG = logging.getLogger(__name__)
FIRST = "torch"
PLATFORM = re.compile(r"\b(sys_platform|platform_system|platform_machine|os_name)\b")


@dataclasses.dataclass(frozen=True)
class Locked:
    """One package of one resolution: its version and the platforms that need it (a marker; empty means all)."""

    version: str
    platforms: str


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m scripts.make_lock", description=__doc__.splitlines()[0])
    parser.add_argument("--environments", required=True, nargs="+", type=Path, help="YAML files to merge")
    parser.add_argument("--pythons", required=True, nargs="+", help="interpreters to resolve for, oldest first")
    parser.add_argument("--lock-out", required=True, type=Path, help="lock file")
    return parser.parse_args(argv)


def merge_pins(environments: Sequence[Environment]) -> list[str]:
    """Return the pins of all environments, torch first, then by name. Raises `UserError` where two contradict."""
    owners: dict[str, tuple[str, Environment]] = {}
    for environment in environments:
        for pin in environment.pins:
            name = split_pin(pin)[0]
            other = owners.setdefault(name, (pin, environment))
            if split_pin(other[0]) != split_pin(pin):
                raise UserError(f"{environment.path}: {pin} contradicts {other[0]} in {other[1].path}; use one version")
    return [owners[name][0] for name in sorted(owners, key=lambda name: (name != FIRST, name))]


def resolve(python: str, pins: Sequence[str], preferred: Mapping[str, Locked]) -> tuple[str, dict[str, Any]]:
    """Let pip of one interpreter resolve the pins; return its Python version ("3.12") and pip's installation report.

    preferred: versions to take where they fit, so that the Pythons differ as little as they can. Raises `UserError` if
    the interpreter cannot be run or pip finds no solution.
    """
    with tempfile.TemporaryDirectory() as folder:
        bare = [python, "-m", "venv", "--without-pip", f"{folder}/venv"]
        if shutil.which(python) is None or subprocess.run(bare, stderr=subprocess.DEVNULL).returncode:
            raise UserError(f"{python}: cannot make a virtual environment; install it or name others by LOCK_PYTHONS=")
        Path(folder, "preferred.txt").write_text("".join(f"{name}=={p.version}\n" for name, p in preferred.items()))
        command = [sys.executable, "-I", "-m", "pip", "--python", f"{folder}/venv/bin/python", "install", "--quiet"]
        command += ["--disable-pip-version-check", "--dry-run", "--ignore-installed"]
        command += ["--report", f"{folder}/report.json", *pins]
        attempts = [[*command, "--constraint", f"{folder}/preferred.txt"]] if preferred else []
        for attempt in [*attempts, command]:
            run = subprocess.run(attempt, capture_output=True, text=True)
            if run.returncode == 0:
                report = read_json(f"{folder}/report.json")
                return report["environment"]["python_version"], report
    errors = [line for line in run.stderr.splitlines() if line.startswith("ERROR")]
    raise UserError(f"{python}: pip finds no versions that fit together ({errors[0] if errors else run.stderr[-300:]})")


def locked_packages(report: Mapping[str, Any], pins: Sequence[str]) -> dict[str, Locked]:
    """Return what the lock must name of one resolution: all but the packages that only torch's CUDA build asks for."""
    packages = {canonical_name(entry["metadata"]["name"]): entry["metadata"] for entry in report["install"]}
    edges = _edges(packages, report["environment"], [split_pin(pin)[0] for pin in pins])
    everywhere: set[str] = set()
    waiting = [split_pin(pin)[0] for pin in pins]
    while waiting:
        name = waiting.pop()
        if name not in everywhere:
            everywhere.add(name)
            waiting += [child for child, platforms in edges.get(name, []) if not platforms]
    conditions: dict[str, set[str]] = {}
    waiting = sorted(everywhere)
    while waiting:
        name = waiting.pop()
        for child, platforms in edges.get(name, []):
            needed = {platforms} if platforms else conditions.get(name, set())
            if child not in everywhere and not needed <= conditions.get(child, set()):
                conditions.setdefault(child, set()).update(needed)
                waiting.append(child)
    locked = {name: _any_of(conditions.get(name, set())) for name in [*everywhere, *conditions]}
    return {name: Locked(packages[name]["version"].partition("+")[0], marker) for name, marker in locked.items()}


def _any_of(markers: Collection[str]) -> str:
    """Return one marker that holds where any of the given ones does; empty for none."""
    return next(iter(markers)) if len(markers) == 1 else " or ".join(f"({marker})" for marker in sorted(markers))


def _edges(packages: Mapping[str, Any], environment: Mapping[str, str], roots: Sequence[str]) -> dict[str, list[Any]]:
    """Return for each package its requirements as (name, platform marker or ""), extras that are asked for included."""
    from packaging.requirements import Requirement

    edges: dict[str, list[Any]] = {}
    done: set[tuple[str, str]] = set()
    waiting = [(name, "") for name in roots]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in done:
            continue
        done.add((name, extra))
        for text in packages[name].get("requires_dist", []):
            requirement = Requirement(text)
            marker = requirement.marker
            if marker is not None and not marker.evaluate({**environment, "extra": extra}):
                continue
            platforms = str(marker) if marker is not None and PLATFORM.search(str(marker)) else ""
            child = canonical_name(requirement.name)
            if child not in packages or (name == FIRST and platforms):
                continue
            edges.setdefault(name, []).append((child, platforms))
            waiting += [(child, wanted) for wanted in ["", *requirement.extras]]
    return edges


def python_marker(group: Sequence[str], pythons: Sequence[str]) -> str:
    """Return the marker that holds for the versions in `group` out of the ascending `pythons`; empty for all."""
    runs: list[str] = []
    inside = [python in group for python in pythons]
    for start, python in enumerate(pythons):
        if not inside[start] or (start > 0 and inside[start - 1]):
            continue
        end = next((i for i in range(start, len(pythons)) if not inside[i]), None)
        bounds = [f'python_version >= "{python}"'] if start > 0 else []
        bounds += [f'python_version < "{pythons[end]}"'] if end is not None else []
        runs.append(" and ".join(bounds))
    return "" if runs == [""] else " or ".join(runs)


def lock_lines(resolutions: Mapping[str, Mapping[str, Locked]]) -> list[str]:
    """Return the lines of the lock, torch first, then by name. resolutions: Python version -> packages, ascending."""
    pythons = list(resolutions)
    lines: list[str] = []
    names = sorted({name for packages in resolutions.values() for name in packages}, key=lambda n: (n != FIRST, n))
    for name in names:
        groups: dict[Locked, list[str]] = {}
        for python in pythons:
            if name in resolutions[python]:
                groups.setdefault(resolutions[python][name], []).append(python)
        for package, group in groups.items():
            markers = [marker for marker in (python_marker(group, pythons), package.platforms) if marker]
            joined = " and ".join(f"({marker})" if len(markers) > 1 else marker for marker in markers)
            lines.append(f"{name}=={package.version}" + (f" ; {joined}" if joined else ""))
    return lines


def main(argv: Sequence[str] | None = None) -> None:
    """Resolve for each Python and write the lock."""
    args = parse_args(argv)
    pins = merge_pins([read_environment(path) for path in args.environments])
    resolutions: dict[str, dict[str, Locked]] = {}
    for python in args.pythons:
        preferred = next(iter(resolutions.values()), {})
        version, report = resolve(python, pins, preferred)
        resolutions[version] = locked_packages(report, pins)
        LOG.info("Python %s: %d packages", version, len(resolutions[version]))
    header = [
        f"# Generated by `make lock` from {', '.join(path.as_posix() for path in args.environments)}: do not edit.",
        f"# Resolved by pip for Python {', '.join(resolutions)}. torch's CUDA build brings its own packages besides.",
    ]
    write_text(args.lock_out, "\n".join([*header, *lock_lines(resolutions)]) + "\n")


if __name__ == "__main__":
    run_step(main)
