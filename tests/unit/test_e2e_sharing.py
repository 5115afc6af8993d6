"""The end-to-end tests of the default run go to one process, so that it is made once."""

from __future__ import annotations

import re

from tests.e2e.conftest import DEFAULT_RUN
from tests.workspace import REPO_ROOT


def test_the_files_that_read_the_default_run_are_those_listed() -> None:
    found = set()
    for path in (REPO_ROOT / "tests" / "e2e").glob("test_*.py"):
        text = path.read_text(encoding="utf-8")
        asked = re.search(r"^def \w+\([^)]*\bresults\b", text, flags=re.M)
        if asked and "def results(" not in text:  # a file may have a run of its own
            found.add(path.stem)
    assert found == DEFAULT_RUN
