"""Bad settings of a paper through the whole workflow: one clear line that names file or key, a failed run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workspace import Workspace

SETTINGS = [
    pytest.param("ddg: {table_2: {dpc: 7}}", "ddg.table_2.dpc: 7 is not in ddg.table_1.dpcs", id="ddg: size"),
    pytest.param("mend: {study_settings: [hr_to_lr]}", "'hr_to_lr' is not in mend.settings", id="mend: study setting"),
    pytest.param("overview: {mendd: {}}", "overview: 'mendd' is not allowed (did you mean 'mend'?)", id="claim"),
]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """One workspace for all dry runs: they write nothing."""
    return Workspace(tmp_path_factory.mktemp("bad_settings"))


@pytest.mark.parametrize("settings, message", SETTINGS)
def test_settings(workspace: Workspace, tmp_path: Path, settings: str, message: str) -> None:
    paper = settings.partition(":")[0]
    overlay = tmp_path / "more.yaml"
    overlay.write_text(f"papers: [{paper}]\n{settings}\n", encoding="utf-8")
    done = workspace.run(f"{paper}_all", configfiles=(str(overlay),), options=("--dry-run",))
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Traceback" not in output, output[-3000:]
    lines = [line for line in output.splitlines() if line.startswith(("error:", "config:"))]
    assert any(message in line for line in lines), output[-3000:]


def test_no_command_holds_the_word_none(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    (tmp_path / "train.csv").write_text("text,label\na,x\nb,y\n", encoding="utf-8")
    (tmp_path / "test.csv").write_text("text,label\na,x\nb,y\n", encoding="utf-8")
    (tmp_path / "sets.yaml").write_text(
        "mine: {schema: classification, reader: csv, origin: local, columns: {input: text, output: label},\n"
        "  splits: {train: {file: train.csv}, test: {file: test.csv}}}\n",
        encoding="utf-8",
    )
    (tmp_path / "my.yaml").write_text(
        "registries: {datasets: [sets.yaml]}\n"
        "ddg:\n  tasks:\n    mine: {title: mine, dataset: mine, train: train, test: test, limit: null,\n"
        "      text_columns: [text], max_tokens: 64, metric: accuracy, prompt: single, turns: 10, released: null}\n"
        "  distil: {tasks: [mine], methods: [random]}\n"
        "nuggets: {score: {anchor_tokens: null, racing: null}}\n",
        encoding="utf-8",
    )
    options = ("--dry-run", "--printshellcmds")
    done = workspace.run("all", "ddg_distil", configfiles=("my.yaml",), options=options)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = (done.stdout + done.stderr).splitlines()
    commands = [line for line in lines if "python -m scripts." in line]  # a target's own line says "None"
    assert any("scripts.ddg.convert_sets" in line and "/mine/" in line and "--labels" not in line for line in commands)
    assert [line for line in commands if " None" in line] == []
