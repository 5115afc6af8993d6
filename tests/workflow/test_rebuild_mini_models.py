"""`snakemake rebuild_mini_models` at a tiny size, through the same rules and steps; the models as they are shipped."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from scripts.common.step_parser import shipped_config
from tests.long import LONG
from tests.workspace import REPO_ROOT, Workspace

pytestmark = LONG  # trains every shipped model

OVERLAY = "tests/overlays/tiny_models.yaml"
SHIPPED = sorted(path for path in (REPO_ROOT / "resources" / "mini").iterdir() if path.is_dir())


def weights(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256((path / "model.safetensors").read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.is_dir()
    }


def test_rebuilding_trains_every_model_and_puts_it_in_its_place(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "work", "resources")
    (workspace.folder / "tests").symlink_to(REPO_ROOT / "tests")
    mini = workspace.folder / "resources" / "mini"
    before = weights(mini)
    run = workspace.run("rebuild_mini_models", configfiles=(OVERLAY,))
    assert run.returncode == 0, run.stdout + run.stderr
    after = weights(mini)
    assert set(after) == set(before)
    assert all(after[name] != before[name] for name in after)
    for name, digest in after.items():
        card = json.loads((mini / name / "card.json").read_text(encoding="utf-8"))
        assert card["sha256"] == digest
        curve = workspace.folder / "results" / "mini_models" / f"{name}_curve.jsonl"
        assert curve.read_text(encoding="utf-8").strip()
    assert workspace.planned("rebuild_mini_models", configfiles=(OVERLAY,)) == {"rebuild_mini_models"}


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_a_shipped_model_is_the_one_its_card_names(folder: Path) -> None:
    content = (folder / "model.safetensors").read_bytes()
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    assert card["sha256"] == hashlib.sha256(content).hexdigest()
    assert card["bytes"] == len(content)
    assert card["sha256"] in (folder / "README.md").read_text(encoding="utf-8")


def test_all_shipped_models_together_stay_small() -> None:
    assert sum(path.stat().st_size for path in (REPO_ROOT / "resources" / "mini").rglob("*")) < 16_000_000


@pytest.mark.parametrize("name", ["causal", "small", "encoder"])
def test_the_config_holds_the_settings_that_made_the_shipped_model(name: str) -> None:
    mini_world = shipped_config()["mini_world"]
    made_by = json.loads((REPO_ROOT / "resources" / "mini" / name / "card.json").read_text(encoding="utf-8"))[
        "settings"
    ]
    assert made_by == {"settings": {**mini_world["world"], **mini_world[name]}, "seed": mini_world["seed"]}


@pytest.mark.parametrize("name", ["t5", "t5_small"])
def test_the_config_holds_the_settings_that_made_the_shipped_t5(name: str) -> None:
    config = shipped_config()
    card = json.loads((REPO_ROOT / "resources" / "mini" / name / "card.json").read_text(encoding="utf-8"))
    assert card["settings"] == config["step_by_step"]["mini_models"][name]
    assert card["seed"] == config["mini_world"]["seed"]


LATER_SETTINGS = {
    "adam_epsilon_rule": "after_correction",
    "weight_decay_on": "except_norms",
    "patience": 0,
    "min_text_tokens": 10,
    "model_dropout": False,
}
"""Settings that came after the shipped distillers were trained, with the values that say how that was done."""


@pytest.mark.parametrize("name", ["distiller", "distiller_lm"])
def test_the_config_holds_the_settings_that_made_the_shipped_distiller(name: str) -> None:
    mini_world = shipped_config()["mini_world"]
    own = {key: value for key, value in mini_world["distiller"]["variants"][name].items() if key != "start"}
    card = json.loads((REPO_ROOT / "resources" / "mini" / name / "card.json").read_text(encoding="utf-8"))
    assert LATER_SETTINGS | card["settings"] == {
        **mini_world["distiller"]["settings"],
        **own,
        "seed": mini_world["seed"],
    }
