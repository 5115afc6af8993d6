"""The recipes of docs/own_data.md, run as they stand there on 150 rows, real ones where there are some.

Where there is no real data the shipped model reads the mini corpus; the commands are the same.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.common.files import read_csv
from tests.e2e.test_own_data import block
from tests.unit.own_rows import rows
from tests.workspace import REPO_ROOT, environment

SHARED = Path(os.environ.get("THRIFT_SHARED") or REPO_ROOT.parent / "shared")
POOL, GOAL, MODEL = "alpaca_gpt4_bad.json.gz", "alpaca_gpt4_kmeans_100.json", SHARED / "models" / "stories260k"
WORDS = {
    "refund": "brake engine bumper wheel clutch gearbox".split(),
    "delivery": "mouse keyboard monitor printer processor cable".split(),
}


def data() -> tuple[list[dict[str, str]], list[dict[str, str]], Path]:
    """Return pool, goal and model."""
    folder = SHARED / "data" / "alpaca_gpt4"
    if not (folder / POOL).is_file() or not MODEL.is_dir():
        return rows(150), rows(20, 1000), REPO_ROOT / "resources/mini/causal"
    pool = json.loads(gzip.decompress((folder / POOL).read_bytes()))
    goal = json.loads((folder / GOAL).read_text(encoding="utf-8"))
    short = [row for row in pool if len(row["instruction"] + row["input"] + row["output"]) < 400]
    return short[:150], sorted(goal, key=lambda row: len(row["output"]))[:20], MODEL


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with files, a model and the command `thrift`."""
    folder = tmp_path_factory.mktemp("own data")
    pool, goal, model = data()
    (folder / "pool.json").write_text(json.dumps(pool), encoding="utf-8")
    (folder / "good.json").write_text(json.dumps(goal), encoding="utf-8")
    (folder / "my_model").symlink_to(model)
    rng = random.Random(0)
    texts = [f"{' '.join(rng.sample(words, 4))},{label}" for label, words in WORDS.items() for _ in range(30)]
    (folder / "reviews.csv").write_text("\n".join(["review,stars", *texts]) + "\n", encoding="utf-8")
    (folder / "bin").mkdir()
    command = folder / "bin" / "thrift"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m scripts.own.cli "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    return folder


def run(here: Path, recipe: str, *, python: bool = False) -> str:
    """Run a recipe as it stands in the page; return all that it says."""
    text = block(f"# recipe-{recipe}")
    command = [sys.executable, "-c", text] if python else ["bash", "-euo", "pipefail", "-c", text]
    done = subprocess.run(
        command,
        cwd=here,
        env={**environment(), "PATH": f"{here}/bin:{environment()['PATH']}", "PYTHONPATH": str(REPO_ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout + done.stderr


def commands() -> list[str]:
    """Return the commands of the recipes."""
    page = (REPO_ROOT / "docs" / "own_data.md").read_text(encoding="utf-8")
    return [line for part in re.findall(r"```bash\n(.*?)```", page, flags=re.S) for line in part.splitlines()[1:]]


def test_one_command_each_below_120_characters() -> None:
    assert len(commands()) == 5
    assert [line for line in commands() if len(line) >= 120] == []


def test_check(here: Path) -> None:
    said = run(here, "check")
    assert "read 150 rows of pool.json as Alpaca" in said
    assert "  nuggets       --model reads 20 + 1 texts a row" in said


def test_choose(here: Path) -> None:
    said = run(here, "choose")
    assert "nuggets: 15 rows in pool_thrift/chosen/nuggets.json" in said
    pool = json.loads((here / "pool.json").read_text(encoding="utf-8"))
    chosen = json.loads((here / "pool_thrift/chosen/nuggets.json").read_text(encoding="utf-8"))
    table = read_csv(here / "pool_thrift/chosen/nuggets.scores.csv")
    assert [pool[int(row["row"])] for row in table[:15]] == chosen
    assert [row["chosen"] for row in table] == ["yes"] * 15 + ["no"] * (len(table) - 15)
    scores = [float(row["score"]) for row in table]
    assert scores == sorted(scores, reverse=True)
    assert "step 1 of" not in run(here, "choose"), "a second call finds everything done"


def test_ways_and_a_trainers_files(here: Path) -> None:
    said = run(here, "ways")
    assert "NUGGETS" not in said, "what no way of --by needs is not computed"
    entries = json.loads((here / "pool_thrift/llama-factory/dataset_info.json").read_text(encoding="utf-8"))
    assert set(entries) == {"random", "ifd", "k_center"}
    for name, entry in entries.items():
        lines = (here / "pool_thrift/llama-factory" / entry["file_name"]).read_text(encoding="utf-8").splitlines()
        chosen = json.loads((here / f"pool_thrift/chosen/{name}.json").read_text(encoding="utf-8"))
        assert [json.loads(line)["output"] for line in lines] == [row["output"] for row in chosen]


def test_compare(here: Path) -> None:
    said = run(here, "compare")
    assert "no --test: 30 rows of the pool, drawn by chance, are held out to test on; 120 stay" in said
    table = {row["method"]: row for row in read_csv(here / "pool_thrift/compared/compared.csv")}
    assert list(table) == ["the model as it is", "random", "nuggets", "ifd", "the whole pool"]
    for name in ("nuggets", "ifd"):
        row = table[name]
        assert float(row["low"]) < float(row["against_random"]) < float(row["high"])
        assert re.match(rf"{name} (beats random by|is worse than random by|cannot be told from random)", row["verdict"])
        assert row["verdict"] in said
    assert table["random"]["verdict"] == ""
    assert float(table["nuggets"]["choosing_gflops"]) > float(table["ifd"]["choosing_gflops"]) > 0
    page = (here / "pool_thrift/compared/compared.html").read_text(encoding="utf-8")
    assert table["nuggets"]["verdict"].replace("'", "&#x27;") in page
    assert "<script" not in page


def test_write(here: Path) -> None:
    run(here, "write")
    written = read_csv(here / "reviews_thrift/written/ddg.csv")
    assert [row["stars"] for row in written] == ["delivery"] * 5 + ["refund"] * 5
    assert all(row["review"].strip() for row in written)


def test_notebook(here: Path) -> None:
    assert "pool_thrift/chosen/random.json" in run(here, "notebook", python=True)
