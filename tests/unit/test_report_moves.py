"""The numbers that move between processors: those listed name papers and artifacts that exist."""

from __future__ import annotations

import importlib
import re

import pytest

from scripts.common.errors import UserError
from scripts.common.files import write_text
from scripts.report.manifest import PAPERS
from scripts.report.moves import moves_of, read_moves
from tests.workspace import REPO_ROOT


def test_what_is_listed_exists():
    moves = read_moves(REPO_ROOT / "config" / "published" / "moves.yaml")
    assert moves
    for move in moves:
        assert move.paper in PAPERS
        module = importlib.import_module(f"scripts.{move.paper}.artifacts")
        source = (REPO_ROOT / "scripts" / move.paper / "artifacts.py").read_text(encoding="utf-8")
        assert module
        for artifact in move.artifacts:
            assert re.search(rf"\b{artifact}\b", source), artifact
        assert move.seen.endswith(".")


def test_an_artifact_has_what_was_seen_of_it_and_faults_are_named(tmp_path):
    write_text(tmp_path / "m.yaml", "- {paper: mend, artifacts: [table_2], seen: One.}\n")
    moves = read_moves(tmp_path / "m.yaml")
    assert moves_of(moves, "mend", "table_2") == ["One."]
    assert moves_of(moves, "mend", "table_3") == moves_of(moves, "ddg", "table_2") == []
    write_text(tmp_path / "m.yaml", "- {paper: mend, artifact: [table_2], seen: One.}\n")
    with pytest.raises(UserError, match="entry 0.*artifact"):
        read_moves(tmp_path / "m.yaml")
    write_text(tmp_path / "m.yaml", "a: b\n")
    with pytest.raises(UserError, match="expected a list"):
        read_moves(tmp_path / "m.yaml")
