"""Names that a shell would run: of the working folder, of data files, a mirror, a model, a file of settings."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.workflow.test_bad_input import ANCHOR, GOOD
from tests.workspace import REPO_ROOT, Workspace

ODD = """ü it's "$(touch pwned)" `touch pwned`; touch pwned & * [a] |touch pwned >pwned $HOME"""
TARGET = "results/odd/nuggets/scores/my_pool/my_model/given/scores.csv"
NUGGETS = {
    "dataset": "my_pool",
    "model": "my_model",
    "pool_size": 2,
    "anchor_dataset": "my_anchors",
    "anchors": "given",
}
ROWS = {"schema": "instruction", "reader": "alpaca_json"}


def make(folder: Path, name: str) -> tuple[Workspace, dict[str, Any]]:
    """Return a workspace whose data, mirror, model and registries are called `name`, and the settings that say so."""
    workspace = Workspace(folder)
    pool, mirror, model = (folder / kind / name for kind in ("own", "mirrors", "models"))
    pool.parent.mkdir()
    pool.write_text(json.dumps([GOOD, {**GOOD, "output": "three"}]), encoding="utf-8")
    mirror.mkdir(parents=True)
    (mirror / name).write_text(json.dumps([ANCHOR]), encoding="utf-8")
    shutil.copytree(REPO_ROOT / "resources" / "mini" / "causal", model)
    datasets = {
        "my_pool": {**ROWS, "origin": "local", "splits": {"train": {"file": f"own/{name}"}}},
        "my_anchors": {**ROWS, "splits": {"train": {"file": name, "url": "https://localhost/x"}}},
    }
    models = {"my_model": {"local": f"models/{name}", "family": "causal"}}
    for kind, rows in (("datasets", datasets), ("models", models)):
        (folder / f"{kind} {name}.yaml").write_text(json.dumps(rows), encoding="utf-8")
    registries = {kind: [f"{kind} {name}.yaml"] for kind in ("datasets", "models")}
    data = {"source": "mirror", "mirror": f"mirrors/{name}"}
    return workspace, {"tier": "odd", "nuggets": NUGGETS, "registries": registries, "data": data}


def run(workspace: Workspace, settings: dict[str, Any], name: str) -> tuple[int, str]:
    """Run with the settings in a file called `name`; return the exit status and what was said."""
    (workspace.folder / f"{name}.yaml").write_text(json.dumps(settings), encoding="utf-8")
    done = workspace.run(TARGET, configfiles=(f"{name}.yaml",))
    return done.returncode, done.stdout + done.stderr


def test_a_name_is_only_a_name(tmp_path: Path) -> None:
    workspace, settings = make(tmp_path / ODD, ODD)
    status, told = run(workspace, settings, ODD)
    assert status == 0, told[-3000:]
    assert (workspace.folder / TARGET).read_text(encoding="utf-8").count("\n") == 3
    assert not list(tmp_path.rglob("pwned*"))


def test_a_name_with_braces_is_refused(tmp_path: Path) -> None:
    """Snakemake would read `{seed}` in the name of an input as a wildcard."""
    workspace, settings = make(tmp_path / "work", "{seed}")
    (workspace.folder / "models.yaml").write_text('{"m": {"local": "a}", "family": "causal"}}', encoding="utf-8")
    mirrored = {**settings, "data": {"source": "mirror", "mirror": "mirrors"}}
    modelled = {"tier": "odd", "registries": {"datasets": [], "models": ["models.yaml"]}}
    for given, message in (
        (settings, "config: data.mirror: 'mirrors/{seed}' does not have the form ^[^{}]*$; correct it"),
        (mirrored, "my_pool.splits.train.file: 'own/{seed}' holds a brace"),
        (modelled, "m.local: 'a}' holds a brace, which stands for a wildcard in Snakemake; rename it"),
    ):
        status, told = run(workspace, given, "settings")
        assert status != 0
        assert message in told, told[-2000:]


@pytest.mark.parametrize("tier", ["a; touch pwned", "$(touch pwned)", "../elsewhere"])
def test_a_tier_is_a_word(tmp_path: Path, tier: str) -> None:
    status, told = run(Workspace(tmp_path), {"tier": tier}, "tier")
    assert status != 0
    assert "config: tier:" in told
    assert not list(tmp_path.rglob("pwned*"))
