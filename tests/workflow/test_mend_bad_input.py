"""MEND's bad input through the whole workflow: one clear line that names file or key, a failed run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workspace import Workspace

SETTINGS = [
    pytest.param("mend: {settings: [traned]}", "no setting 'traned' in config/metaicl.yaml", id="setting"),
    pytest.param("mend: {study_settings: [hr_to_lr]}", "'hr_to_lr' is not in mend.settings", id="study setting"),
    pytest.param("mend: {finetune: {kl_wait: 1.0}}", "did you mean 'kl_weight'?", id="unknown key"),
    pytest.param("mend: {backbone: minni}", "'minni' is no key of mend.backbones", id="backbone"),
    pytest.param("mend: {backbones: {mini: {model: mini_casual}}}", "did you mean 'mini_causal'?", id="model"),
    pytest.param("mend: {table_4: {methods: [mend_long]}}", "no group trains 'mend_long'", id="distiller"),
    pytest.param("mend: {groups: {main: [mend, kl_only, hyper_tuning]}}", "'kl_only' is in main and in", id="twice"),
    pytest.param("mend: {finetune: {temperature: 0}}", "mend.finetune.temperature: 0 is not above 0", id="temperature"),
    pytest.param("mend: {table_3: {perturbations: [upside_down]}}", "'upside_down' is not allowed", id="perturbation"),
    pytest.param("mend: {seeds: []}", "mend.seeds: is empty", id="no seeds"),
    pytest.param("mend: {tasks: {source: hub}}", "mend.tasks.prepared: is null, but", id="no prepared rows"),
]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """One workspace for all dry runs: they write nothing."""
    return Workspace(tmp_path_factory.mktemp("mend_bad"))


@pytest.mark.parametrize("settings, message", SETTINGS)
def test_settings(workspace: Workspace, tmp_path: Path, settings: str, message: str) -> None:
    overlay = tmp_path / "more.yaml"
    overlay.write_text(f"papers: [mend]\n{settings}\n", encoding="utf-8")
    done = workspace.run("mend_all", configfiles=(str(overlay),), options=("--dry-run",))
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Traceback" not in output, output[-3000:]
    assert any(message in line for line in output.splitlines() if line.startswith(("error:", "config:"))), output[
        -3000:
    ]
