"""What the papers print and data alone can check, on the released files: one command, no model, no download."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from scripts.common.files import read_csv
from tests.workspace import Workspace

PAPER = "config/tiers/paper.yaml"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Path:
    """Run the target with the paper tier's settings and a mirror that has e-SNLI's and ANLI's test rows only."""
    workspace = Workspace(tmp_path_factory.mktemp("published"))
    overlay = workspace.folder / "mirror.yaml"
    overlay.write_text(f"data: {{source: mirror, mirror: {shared}/data}}\n", encoding="utf-8")
    command = workspace.command("published_without_gpu")
    place = command.index("config/tiers/mini.yaml")
    done = workspace.run_command([*command[:place], PAPER, str(overlay), *command[place + 1 :]])
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert "train_models" not in done.stdout + done.stderr
    assert "models_download" not in done.stdout + done.stderr
    return workspace.folder / "results" / "paper"


def test_the_comparison_says_what_came_out(results: Path) -> None:
    rows = read_csv(results / "without_gpu" / "comparison.csv")
    assert Counter((row["origin"], row["status"]) for row in rows if row["status"] != "not_run") == {
        ("paper", "reproduced"): 10,
        ("measured", "agrees"): 8,
        ("measured", "differs"): 1,
    }
    (different,) = [row for row in rows if row["status"] == "differs"]
    assert (different["setting"], different["published"], different["ours_mean"]) == ("svamp_train", "73.5", "73.25")
    missing = {(r["setting"], r["method"]) for r in rows if r["experiment"] == "data_sets" and r["status"] == "not_run"}
    assert missing == {("esnli", "train"), ("anli1", "train")}


def test_counts_are_those_of_the_paper_and_the_rest_says_why(results: Path) -> None:
    rows = {row["dataset"]: row for row in read_csv(results / "tables" / "step_by_step_table_3.csv")}
    found = {name: tuple(row[split] for split in ("train", "valid", "test")) for name, row in rows.items()}
    assert found == {
        "esnli": ("", "9842", "9824"),
        "anli1": ("", "1000", "1000"),
        "cqa": ("8766", "975", "1221"),
        "svamp": ("720", "80", "200"),
    }
    text = (results / "tables" / "step_by_step_table_3.md").read_text(encoding="utf-8").replace("\\", "")
    assert "The mirror (data.mirror) has no step_by_step/esnli/esnli_train_0.csv (2 of 2 files are missing)." in text
    assert "The mirror (data.mirror) has no step_by_step/anli1/anli1_train.json." in text


def test_teachers_have_their_accuracies(results: Path) -> None:
    rows = {row["rows"]: row for row in read_csv(results / "tables" / "step_by_step_table_teachers.csv")}
    percent = {name: round(float(row["accuracy_percent"]), 2) for name, row in rows.items() if row["accuracy_percent"]}
    assert percent == {
        "esnli_test": 72.99,
        "esnli_valid": 73.17,
        "anli1_test": 65.6,
        "anli1_valid": 66.8,
        "cqa_test": 77.23,
        "cqa_train": 74.26,
        "svamp_test": 74.0,
        "svamp_train": 73.25,
    }
    assert "has no step_by_step/esnli" in rows["esnli_train"]["note"]
