"""The laptop tier on its real data and real models, cut down to minutes: tests/overlays/laptop.yaml.

The models come as packages from the Python index; where it does not serve them, these tests are skipped.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import torch

from scripts.common.files import read_csv, read_json
from scripts.lm.load import load_model
from scripts.lm.score import Continuation, Scorer
from tests.long import LONG
from tests.workspace import REPO_ROOT, Workspace

pytestmark = LONG

MODELS = ("smollm2_135m_instruct", "minilm")
LAPTOP = ("config/tiers/laptop.yaml", str(REPO_ROOT / "tests/overlays/laptop.yaml"))
TARGETS = ("nuggets_table_released", "nuggets_table_1", "ddg_table_1", "step_by_step_table_2")


def run(workspace: Workspace, *targets: str) -> subprocess.CompletedProcess[str]:
    """Run the laptop tier, cut down, in a workspace that has `mirror.yaml`."""
    command = workspace.command(*targets)
    start = command.index("config/tiers/mini.yaml")
    return workspace.run_command([*command[:start], *LAPTOP, "mirror.yaml", *command[start + 1 :]])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Workspace:
    """A workspace with both models; skips where the index does not serve their packages."""
    workspace = Workspace(tmp_path_factory.mktemp("real"))
    (workspace.folder / "mirror.yaml").write_text(
        json.dumps({"data": {"source": "mirror", "mirror": f"{shared}/data"}})
    )
    for model in MODELS:
        done = run(workspace, f"results/downloads/models/{model}")
        if done.returncode and "pip cannot fetch" in done.stdout + done.stderr:
            pytest.skip(f"the package index does not serve {model}")
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return workspace


def test_scores_are_those_of_the_plain_pass(place: Workspace, shared: Path) -> None:
    rows = read_json(shared / "data" / "alpaca_gpt4" / "alpaca_gpt4_kmeans_100.json")[:6]
    loaded = load_model(
        str(place.folder / "results/downloads/models/smollm2_135m_instruct"), dtype="float32", device="cpu", threads=2
    )
    ids = [[loaded.tokenizer(row[key])["input_ids"] for key in ("instruction", "output")] for row in rows]
    prefix = [*ids[0][0], *ids[0][1][:100]]
    items = [Continuation(query, answer[:120]) for query, answer in ids[1:]]
    scorer = Scorer(loaded.model, batch_tokens=1024)
    sums = scorer.score(scorer.prefill(prefix), scorer.pack(items)).logprob_sums
    with torch.inference_mode():
        for item, ours in zip(items, sums):
            words = torch.tensor([[*prefix, *item.query_ids, *item.answer_ids]])
            logits = loaded.model(words).logits[0, -len(item.answer_ids) - 1 : -1]
            plain = torch.log_softmax(logits.double(), dim=-1)[range(len(item.answer_ids)), list(item.answer_ids)]
            assert abs(ours - float(plain.sum())) / len(item.answer_ids) < 1e-4


def test_every_paper_runs_and_fills_its_table(place: Workspace) -> None:
    done = run(place, *TARGETS)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    tables = {name: read_csv(place.folder / "results" / "real" / "tables" / f"{name}.csv") for name in TARGETS}
    scored = {row["score"]: float(row["label_auc"]) for row in tables["nuggets_table_released"]}
    assert set(scored) == {"golden score", "mean gain", "low perplexity", "IFD", "longest answers"}
    assert all(0 <= area <= 1 for area in scored.values())
    learners = {row["method"]: row for row in tables["ddg_table_1"]}
    assert len(learners) == 4  # random, written, released, all texts
    for row in learners.values():
        assert all(0 < float(row[f"sst2/dpc_{dpc}"]) < 100 for dpc in (5, 10, 20))
    students = [row["svamp_mean"] for row in tables["step_by_step_table_2"] if row["svamp_mean"]]
    assert len(students) == 3
    assert all(0 <= float(share) <= 100 for share in students)
