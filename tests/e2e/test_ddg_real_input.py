"""The workflow without training: DiLM's released sets of SST-2 through both evaluations, BANKING77 in context.

The learner is the shipped encoder and the language model stories260k: it checks data, prompts and numbers on real
files, not the papers' effect.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.common.files import read_csv
from tests.workspace import Workspace

OVERLAY = """
tier: real
papers: [ddg]
data: {{source: mirror, mirror: {shared}/data, seed: 0}}
registries: {{datasets: [], models: [{models}]}}
tasks: {{names: []}}
compute: {{device: cpu, dtype: float32, threads: 1, batch_tokens: 2048, memory_mb: 2000, gpus: 0, runtime: 15m}}
ddg:
  tasks:
    sst2: {{dataset: sst2, train: train, test: dev, limit: 300, max_tokens: 40, turns: 10}}
    banking77: {{limit: null, prompt: intents, turns: 1}}
  seeds: [0]
  learner: mini
  learners: {{mini: {{model: mini_encoder, pooling: model}}}}
  sets: {{dpcs: [5], draws: 2, reading: {{max_tokens: 64, batch_size: 64}}}}
  learner_evaluation: {{models: 1, steps: 5, full: false, dropout: false, max_tokens: 48}}
  in_context: {{models: [stories260k], rounds: [1], dpc: 5, draws: 2, n_queries: 6, retrieval_rounds: [1]}}
  table_1: {{tasks: [sst2], methods: [random, dilm_released], dpcs: [5]}}
  table_2: {{learners: [mini], methods: [random, dilm_released], dpc: 5}}
  table_7: {{dpc: 5}}
  table_8: {{dpc: 5}}
  table_3: {{task: sst2, models: [stories260k], methods: [random, dilm_released], round: 1}}
  table_4: {{methods: [dilm_released]}}
  table_paired: {{pairs: [[dilm_released, random]]}}
  table_main: {{tasks: [sst2], methods: [zero_shot, random, dilm_released, bm25], round: 1}}
  table_long: {{tasks: [banking77], methods: [bm25]}}
  table_ablation: {{tasks: [sst2], methods: [dilm_released, random], dpc: 5}}
  figure_sensitivity: {{task: sst2, decay: [], temperature: [], methods: [random, dilm_released]}}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Path:
    """Run both evaluations and return the folder of the results."""
    folder = tmp_path_factory.mktemp("real")
    workspace = Workspace(folder / "work")
    models, overlay = folder / "my_models.yaml", folder / "real.yaml"
    models.write_text(f"stories260k: {{family: causal, local: {shared}/models/stories260k, licence: MIT}}\n")
    overlay.write_text(OVERLAY.format(shared=shared, models=models), encoding="utf-8")
    targets = ("ddg_table_1", "ddg_table_3", "ddg_table_main", "ddg_figure_sensitivity")
    planned = workspace.planned(*targets, configfiles=(str(overlay),))
    assert "ddg_import_sets" in planned
    assert not {"ddg_train_generator", "ddg_match_gradients", "ddg_generate_sets"} & planned
    targets = ("results/real/ddg/learners/sst2/mini/dpc_5.csv", "results/real/ddg/in_context/sst2/stories260k/all.csv")
    done = workspace.run(*targets, configfiles=(str(overlay),))
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return workspace.folder / "results" / "real"


def test_released_sets_train_learners(run: Path) -> None:
    rows = read_csv(run / "ddg/learners/sst2/mini/dpc_5.csv")
    assert {(row["method"], row["draw"]) for row in rows} == {(m, d) for m in ("random", "dilm_released") for d in "01"}
    assert all(row["n"] == "872" for row in rows)


def test_released_sets_stand_in_prompts(run: Path) -> None:
    rows = read_csv(run / "ddg/in_context/sst2/stories260k/all.csv")
    found = {(row["protocol"], row["scorer"], row["method"]) for row in rows}
    assert ("dilm", "first_token", "dilm_released") in found
    assert {("longicl", "generate", name) for name in ("zero_shot", "random", "dilm_released", "bm25")} <= found
    assert all(row["n"] == "6" for row in rows)
