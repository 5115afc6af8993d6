"""The tiny tier: every paper, whole, with a few dozen examples, in a folder of its own; what is compared of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.workspace import REPO_ROOT, Workspace

TINY = ("tests/overlays/tiny.yaml",)
TARGET = "all"
RESULTS = Path("results/tiny")
# What tells how long something took, when and where; all else must not depend on how it was made.
FOLDERS_OF_FACTS = ("logs", "benchmarks")
RUN_FACTS = (
    "report.html",
    "*.run.json",
    "*/times.csv",
    "*/times_*.csv",
    "*/timing.csv",
    "measured/seconds/*.csv",
    "*/*_table_time.*",
    "*/mend_*_timing.*",
)


def make_workspace(folder: Path, *copied: str) -> Workspace:
    """Return a workspace that also sees the overlays; a test may edit what is `copied`."""
    workspace = Workspace(folder, *copied)
    (folder / "tests").symlink_to(REPO_ROOT / "tests")
    return workspace


def digests(results: Path) -> dict[str, str]:
    """Return {path: hash} of every file below a tier's results that must not depend on how it was made.

    What a killed step was writing lies about under a hidden name, .<name>.<letters>.tmp, and is nobody's result.
    """
    found = {}
    for path in sorted(results.rglob("*")):
        name = path.relative_to(results)
        facts = name.parts[0] in FOLDERS_OF_FACTS or any(name.match(pattern) for pattern in RUN_FACTS)
        unfinished = any(part.startswith(".") and part.endswith(".tmp") for part in name.parts)
        if path.is_file() and not facts and not unfinished:
            found[str(name)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found
