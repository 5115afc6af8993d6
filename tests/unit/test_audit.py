"""What the audit makes of pip-audit's answers; the index of this machine may know no vulnerabilities."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from scripts.audit import main
from scripts.common.errors import UserError

CLEAN = {"name": "numpy", "version": "2.4.6", "vulns": []}
SKIPPED = {"name": "torch", "skip_reason": "Dependency not found on PyPI and could not be audited: torch (2.13.0)"}
BAD = {
    "name": "jinja2",
    "version": "3.1.2",
    "vulns": [
        {"id": "PYSEC-1", "fix_versions": ["3.1.3"], "aliases": [], "description": "x"},
        {"id": "PYSEC-2", "fix_versions": [], "aliases": [], "description": "x"},
    ],
}


@pytest.fixture(autouse=True)
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `python -m pip_audit` be the program that `audit` writes."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def audit(folder: Path, answer: str, *more: str) -> None:
    """Run the audit with a program that answers as pip-audit would, once it has seen the flags that matter."""
    program = (
        "import sys; flags = sys.argv[1:]\n"
        "assert '--no-deps' in flags and 'json' in flags\n"
        "assert flags[flags.index('--requirement') + 1].endswith('.lock')\n"
        f"{answer}"
    )
    (folder / "pip_audit.py").write_text(program, encoding="utf-8")
    (folder / "requirements.lock").write_text("numpy==2.4.6\n", encoding="utf-8")
    main(["--requirements", str(folder / "requirements.lock"), "--python", sys.executable, *more])


def printing(*rows: dict) -> str:
    return f"print({json.dumps(json.dumps({'dependencies': rows, 'fixes': []}))})"


def test_no_known_vulnerabilities(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    audit(tmp_path, printing(CLEAN, SKIPPED))
    told = "audit: 1 packages asked about, 0 known vulnerabilities; nothing is told about 1 others\n"
    assert capsys.readouterr().out == told


@pytest.mark.parametrize(
    "answer, reason",
    [
        (printing(SKIPPED), "the package index tells nothing about vulnerabilities of our 1 packages"),
        ("sys.exit('ConnectionError: cannot resolve the name')", "ConnectionError: cannot resolve the name"),
        ("print('[]')", "no reason given"),
    ],
)
def test_without_an_answer_it_says_so_and_ends_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], answer: str, reason: str
) -> None:
    audit(tmp_path, answer)
    assert capsys.readouterr().out == f"audit: not done: {reason}\n"


def test_a_vulnerable_pin_is_a_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match=r"requirements\.lock: raise the pins above in envs/\*\.yaml"):
        audit(tmp_path, printing(CLEAN, BAD))
    assert capsys.readouterr().out.splitlines() == [
        "jinja2 3.1.2: PYSEC-1, mended in 3.1.3",
        "jinja2 3.1.2: PYSEC-2, mended in no version",
        "audit: 2 packages asked about, 2 known vulnerabilities",
    ]


def test_what_does_not_concern_us_is_passed_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seen = f"assert flags[-2:] == ['--ignore-vuln', 'PYSEC-1'], flags\n{printing(CLEAN)}"
    audit(tmp_path, seen, "--ignore", "PYSEC-1")
    assert capsys.readouterr().out == "audit: 1 packages asked about, 0 known vulnerabilities\n"


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        main(["--requirements", str(tmp_path / "none"), "--python", sys.executable])
