"""DDG's bad input through the whole workflow: one clear line that names file or key, a failed run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workspace import Workspace

SETTINGS = [
    pytest.param("ddg: {matching: {teacher: emma}}", "ddg.matching.teacher: 'emma' is not allowed", id="teacher"),
    pytest.param("ddg: {matching: {temprature: 1}}", "did you mean 'temperature'?", id="unknown key"),
    pytest.param("ddg: {variants: {dilm: {lm_wait: 1}}}", "did you mean 'lm_weight'?", id="variant's key"),
    pytest.param("ddg: {table_1: {methods: [dilmm]}}", "'dilmm' is not in ddg.methods; add it there", id="method"),
    pytest.param("ddg: {methods: {ddg: {variant: dgd}}}", "'dgd' is not in ddg.variants; add it", id="variant"),
    pytest.param("ddg: {table_2: {dpc: 7}}", "ddg.table_2.dpc: 7 is not in ddg.table_1.dpcs", id="size"),
    pytest.param("ddg: {learner: minni}", "'minni' is no key of ddg.learners", id="learner"),
    pytest.param("ddg: {tasks: {triple: {test: tset}}}", "dataset 'mini_triple' has no split 'tset'", id="split"),
    pytest.param("ddg: {in_context: {n_queries: all}}", "ddg.in_context.n_queries", id="queries"),
    pytest.param("ddg: {table_1: {methods: [dilm_released]}}", "ddg.tasks.triple.released: is null", id="released"),
    pytest.param("ddg: {seeds: []}", "ddg.seeds: is empty", id="no seeds"),
]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """One workspace for all dry runs: they write nothing."""
    return Workspace(tmp_path_factory.mktemp("ddg_bad"))


@pytest.mark.parametrize("settings, message", SETTINGS)
def test_settings(workspace: Workspace, tmp_path: Path, settings: str, message: str) -> None:
    overlay = tmp_path / "more.yaml"
    overlay.write_text(f"papers: [ddg]\n{settings}\n", encoding="utf-8")
    done = workspace.run("ddg_all", configfiles=(str(overlay),), options=("--dry-run",))
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Traceback" not in output, output[-3000:]
    lines = [line for line in output.splitlines() if line.startswith(("error:", "config:"))]
    assert any(message in line for line in lines), output[-3000:]
