"""The environment files in `envs/`: one YAML per kind of step, read by conda, by `make_venv` and by `make_lock`."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from scripts.common.errors import UserError
from scripts.common.files import PathLike
from scripts.common.yaml_files import read_yaml

PIN = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(\[[\w,.-]+\])?==(?P<version>[A-Za-z0-9.!+_-]+)( *; *(?P<marker>.+))?"
)


@dataclasses.dataclass(frozen=True)
class Environment:
    """What one environment file asks for: the Python that conda installs, and the exact pins for pip in their order."""

    path: Path
    python: str
    pins: tuple[str, ...]


def canonical_name(name: str) -> str:
    """Return a package name as the index compares it: `Foo_Bar.baz` and `foo-bar-baz` are the same."""
    return re.sub(r"[-_.]+", "-", name).lower()


def split_pin(pin: str) -> tuple[str, str, str]:
    """Return canonical name, version and marker (empty if none) of `name==version ; marker`. Raises ValueError."""
    match = PIN.fullmatch(pin.strip())
    if match is None:
        raise ValueError(f"'{pin}' is not an exact pin")
    return canonical_name(match["name"]), match["version"], (match["marker"] or "").strip()


def read_environment(path: PathLike) -> Environment:
    """Read an environment file. Raises `UserError` unless it holds python=3.x, pip and a `pip:` list of exact pins."""
    content = read_yaml(path)
    dependencies = content.get("dependencies") if isinstance(content, dict) else None
    if not isinstance(dependencies, list):
        raise UserError(f"{path}: no list 'dependencies'; see the other files in envs/")
    names = [entry for entry in dependencies if isinstance(entry, str)]
    lists = [entry["pip"] for entry in dependencies if isinstance(entry, dict) and list(entry) == ["pip"]]
    pythons = [name.partition("=")[2] for name in names if re.fullmatch(r"python=3\.\d+", name)]
    if len(pythons) != 1 or "pip" not in names or len(lists) != 1 or len(dependencies) != 3:
        raise UserError(f"{path}: 'dependencies' must hold exactly python=3.x, pip and one list under pip:")
    for pin in lists[0] or [""]:
        try:
            split_pin(str(pin))
        except ValueError:
            raise UserError(f"{path}: '{pin}' under pip: is not an exact pin; write name==version") from None
    return Environment(Path(path), pythons[0], tuple(str(pin).strip() for pin in lists[0]))
