"""The README's way to distil one's own texts and to ask a model with them, run as it stands there."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.common.files import read_csv, read_jsonl
from tests.e2e.test_own_data import block
from tests.workspace import Workspace, environment

WORDS = {
    "refund": "brake engine bumper wheel clutch gearbox".split(),
    "delivery": "mouse keyboard monitor printer processor cable".split(),
}
SMALL = """
ddg:
  seeds: [42]
  pretraining: {steps: 20, batch_size: 16}
  matching: {outer_loops: 1, inner_steps: 2, synthetic_per_class: 8, real_per_class: 8, clusters: 4, interval: 1,
    representative: {versions: 2, size: 8}}
  sets: {dpcs: [5], draws: 1, over_sample: 8, sampling: {batch_size: 64}}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Distil the user's texts; return the folder."""
    folder = tmp_path_factory.mktemp("own") / "work"
    workspace, rng = Workspace(folder), random.Random(0)
    for name, size in (("my_train.csv", 30), ("my_test.csv", 10)):
        rows = [f"{' '.join(rng.sample(words, 4))},{label}" for label, words in WORDS.items() for _ in range(size)]
        (folder / name).write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    datasets, mine = block("# my_texts.yaml").split("# my_ddg.yaml")
    for name, text in (("my_texts.yaml", datasets), ("my_ddg.yaml", mine), ("small.yaml", SMALL)):
        (folder / name).write_text(text, encoding="utf-8")
    done = workspace.run("ddg_distil", configfiles=("my_ddg.yaml", "small.yaml"))
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return folder


def test_sets_of_both_methods_are_there(made: Path) -> None:
    for method in ("ddg", "random"):
        rows = read_jsonl(made / f"results/my_texts/ddg/sets/mine/{method}/seed_42/dpc_5/draw_0.jsonl")
        assert [row["labels"] for row in rows] == [0] * 5 + [1] * 5
        assert (made / f"results/my_texts/ddg/converted/mine/{method}/seed_42/dpc_5/draw_0.parquet").is_file()


def test_they_stand_in_a_prompt(made: Path) -> None:
    command = "MODEL=resources/mini/causal\n" + block("# own-texts")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=made,
        env={**environment(), "PATH": f"{Path(sys.executable).parent}:{environment()['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = read_csv(made / "in_context.csv")
    assert {row["round"] for row in rows if row["method"] == "ddg"} == set("12345")
    assert all(float(row["low"]) <= float(row["accuracy"]) <= float(row["high"]) for row in rows)
    assert {row["n"] for row in rows} == {"20"}  # all the test texts that 25 turns find
