"""The tiny tier: the whole of NUGGETS with a few dozen examples, in a folder of its own; what is compared of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.workspace import REPO_ROOT, Workspace

TINY = ("tests/overlays/tiny.yaml",)
TARGET = "nuggets_all"
RESULTS = Path("results/tiny")
# What is compared: every measured value, every score, every chosen subset, every table and figure.
COMPARED = ("metrics.csv", "nuggets", "tables", "figures")


def make_workspace(folder: Path, *copied: str) -> Workspace:
    """Return a workspace that also sees the overlays; a test may edit what is `copied`."""
    workspace = Workspace(folder, *copied)
    (folder / "tests").symlink_to(REPO_ROOT / "tests")
    return workspace


def digests(workspace: Workspace) -> dict[str, str]:
    """Return {path: hash} of every result that must not depend on how it was made; run facts are left out."""
    found = {}
    for path in sorted((workspace.folder / RESULTS).rglob("*")):
        name = path.relative_to(workspace.folder / RESULTS)
        if path.is_file() and name.parts[0] in COMPARED and not path.name.endswith(".run.json"):
            found[str(name)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found
