"""Bad settings of a paper through the whole workflow: one clear line that names file or key, a failed run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workspace import Workspace

SETTINGS = [
    pytest.param("ddg: {table_2: {dpc: 7}}", "ddg.table_2.dpc: 7 is not in ddg.table_1.dpcs", id="ddg: size"),
    pytest.param("mend: {settings: [traned]}", "no setting 'traned' in config/metaicl.yaml", id="mend: setting"),
    pytest.param("mend: {study_settings: [hr_to_lr]}", "'hr_to_lr' is not in mend.settings", id="mend: study setting"),
    pytest.param("mend: {finetune: {kl_wait: 1.0}}", "did you mean 'kl_weight'?", id="mend: unknown key"),
    pytest.param("mend: {backbone: minni}", "'minni' is no key of mend.backbones", id="mend: backbone"),
    pytest.param("mend: {backbones: {mini: {model: mini_casual}}}", "did you mean 'mini_causal'?", id="mend: model"),
    pytest.param("mend: {table_4: {methods: [mend_long]}}", "no group trains 'mend_long'", id="mend: distiller"),
    pytest.param(
        "mend: {groups: {main: [hyper_tuning]}, table_2: {methods: [icl, hyper_tuning]}}",
        "mend.groups: no group trains 'mend'",
        id="mend: no mend",
    ),
    pytest.param(
        "mend: {groups: {main: [mend]}, table_2: {methods: [icl, mend]}, table_3: {methods: [hyper_tuning]}}",
        "mend.table_3.methods: no group trains 'hyper_tuning'",
        id="mend: distiller of a study",
    ),
    pytest.param("overview: {mendd: {}}", "overview: 'mendd' is not allowed (did you mean 'mend'?)", id="claim"),
    pytest.param(
        "mend: {groups: {main: [mend, kl_only, hyper_tuning]}}", "'kl_only' is in main and in", id="mend: twice"
    ),
    pytest.param(
        "mend: {finetune: {temperature: 0}}", "mend.finetune.temperature: 0 is not above 0", id="mend: temperature"
    ),
    pytest.param(
        "mend: {table_3: {perturbations: [upside_down]}}", "'upside_down' is not allowed", id="mend: perturbation"
    ),
    pytest.param("mend: {seeds: []}", "mend.seeds: is empty", id="mend: no seeds"),
    pytest.param("mend: {tasks: {source: hub}}", "mend.tasks.prepared: is null, but", id="mend: no prepared rows"),
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
