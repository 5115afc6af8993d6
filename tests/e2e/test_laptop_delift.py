"""The laptop tier's DELIFT and head to head with their real models, SmolLM2 and MiniLM, on sixteen rows of four kinds.

Two training steps show no effect of the papers: that the real files and models go through, and what is known of the
choices, their truth and their costs.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts.common.files import read_csv, read_json, read_jsonl
from tests.long import LONG
from tests.workspace import REPO_ROOT, Workspace

pytestmark = LONG

MODELS = {"smollm2_135m_instruct": "causal", "minilm": "encoder"}
TARGETS = ("delift_table_1", "head_to_head_table_selection", "head_to_head_table_time")
OVERLAY = "data: {{source: mirror, mirror: {shared}/data}}\nregistries: {{datasets: [], models: [{models}]}}\n"
PLACE = "mixed/smollm2_135m_instruct"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Path:
    """Run on the real rows with the real models; return the folder of the results."""
    folders = {name: REPO_ROOT / "results/downloads/models" / name for name in MODELS}
    gone = [name for name, folder in folders.items() if not (folder / "config.json").is_file()]
    if gone:
        pytest.skip(f"needs the laptop tier's models: no {', '.join(gone)} in results/downloads/models")
    workspace = Workspace(tmp_path_factory.mktemp("laptop"))
    models, overlay = workspace.folder / "my_models.yaml", workspace.folder / "here.yaml"
    rows = [f"{name}: {{family: {MODELS[name]}, local: {folder}}}\n" for name, folder in folders.items()]
    models.write_text("".join(rows), encoding="utf-8")
    overlay.write_text(OVERLAY.format(shared=shared, models=models), encoding="utf-8")
    tiers = ["config/tiers/laptop.yaml", str(REPO_ROOT / "tests/overlays/tiny_laptop.yaml"), str(overlay)]
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", *tiers, "--", *TARGETS]
    done = workspace.run_command(command)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return workspace.folder / "results" / "tiny_laptop"


def test_the_pool_has_four_rows_of_each_source(results: Path) -> None:
    known = read_jsonl(results / "data/examples/mixed_pool_truth/train.jsonl")
    families = [row["family"] for row in known]
    assert {name: families.count(name) for name in set(families)} == dict.fromkeys(
        ("alpaca_gpt4", "dolly", "gsm8k", "t0"), 4
    )
    assert all(row["good"] == (row["family"] == "t0") for row in known)


def test_delifts_table_has_both_ways_of_learning(results: Path) -> None:
    rows = {row["subset"]: row for row in read_csv(results / "tables/delift_table_1.csv")}
    assert list(rows) == ["base model", "random, 30 %", "DELIFT (SE), 30 %", "DELIFT, 30 %"]
    loglik = [value for name, value in rows["DELIFT, 30 %"].items() if "loglik" in name and name.endswith("_mean")]
    assert len(loglik) == 2
    assert all(-20 < float(value) < 0 for value in loglik)


def test_every_method_has_its_share_of_the_goal_and_its_cost(results: Path) -> None:
    rows = {row["method"]: row for row in read_csv(results / "tables/head_to_head_table_selection.csv")}
    shares = {name: row["good_25"] for name, row in rows.items() if row["good_25"]}
    assert set(shares) == {
        *("random", "BM25 of the goal", "neighbours of the goal", "LESS", "NUGGETS", "DELIFT"),
    }
    assert all(float(share) * 4 == int(float(share) * 4) for share in shares.values())
    assert float(shares["neighbours of the goal"]) > 0.25  # a quarter of the pool is of the goal's source
    costs = {name: float(row["gflops"]) for name, row in rows.items() if row["gflops"]}
    assert costs["random"] == costs["BM25 of the goal"] == 0
    assert 0 < costs["neighbours of the goal"] < costs["LESS"]


def test_a_choice_for_the_goal_takes_the_nearest_rows(results: Path) -> None:
    (subset,) = read_json(results / f"head_to_head/subsets/{PLACE}/goal_neighbours/selection.json")["subsets"]
    assert (subset["n"], len(set(subset["ids"]))) == (4, 4)
    assert subset["share_good"] == subset["families"]["t0"] == subset["share_reference"]


def test_seconds_are_measured_for_every_method(results: Path) -> None:
    rows = {row["method"]: row for row in read_csv(results / "tables/head_to_head_table_time.csv")}
    assert all(float(rows[name]["scoring"]) > 0 for name in ("neighbours of the goal", "LESS", "NUGGETS", "DELIFT"))
    assert rows["BM25 of the goal"]["choosing"]
