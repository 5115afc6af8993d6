"""MEND in the laptop tier, made small: SmolLM2, a distiller of its first layers, tasks and texts of the registry.

Training is two steps long, so this checks that data, models and settings of the tier fit together, not the effect.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest
import yaml

from scripts.common.files import read_csv, read_json
from scripts.common.metrics import read_metrics
from tests.long import LONG
from tests.workspace import REPO_ROOT, Workspace

MODEL = REPO_ROOT / "results/downloads/models/smollm2_135m_instruct"
TRAIN, TEST, SEEDS, MAX_TEST, LAYERS = ("intents_01", "same_question"), ("intents_03",), (13, 21), 6, 10
METHODS = ("zero_shot", "icl", "mend")
TARGETS = ("mend/scores/smollm2_135m/little/main.csv", "mend/measured/cost/smollm2_135m.csv")
OVERLAY = """
tier: laptop_small
papers: [mend]
data: {{source: mirror, mirror: {shared}/data}}
registries: {{models: [{models}]}}
mend:
  together: true
  settings: [little]
  study_settings: [little]
  train_shots: 40
  seeds: [13, 21]
  max_test: {max_test}
  n_demonstrations: 4
  formats: {{newlines: {{max_example_tokens: 48, max_tokens: 256, max_distiller_tokens: 200}}}}
  pretrain: {{steps: 2, save_steps: 0}}
  finetune: {{steps: 2, save_steps: 0, n_demonstrations: 4, queries: 2}}
  groups: {{main: [mend], ablation: []}}
  efficiency: {{n_demonstrations: [4], n_queries: 2, repeats: 1}}
  table_2: {{methods: [zero_shot, icl, mend]}}
  table_4: {{methods: [mend]}}
  figure_4: {{distillers: [mend]}}
  figure_lambda: {{distillers: [mend], limit: mend}}
"""

pytestmark = LONG


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Path:
    """Score the methods on a group of held-out intents and count their cost; return the results' folder."""
    if not MODEL.is_dir():
        pytest.skip(f"needs SmolLM2: no folder {MODEL} (snakemake --cores 1 {MODEL.relative_to(REPO_ROOT)} makes it)")
    folder = tmp_path_factory.mktemp("real_models")
    workspace = Workspace(folder / "work", "config")
    registry = workspace.folder / "config/metaicl.yaml"
    content = yaml.safe_load(registry.read_text(encoding="utf-8"))
    little = {"title": "Little", "train": list(TRAIN), "test": list(TEST), "unseen": [], "dropped": []}
    content["settings"]["little"] = {**little, "n": {"train": len(TRAIN), "test": len(TEST)}}
    registry.write_text(yaml.safe_dump(content), encoding="utf-8")
    models, overlay = folder / "models.yaml", folder / "small.yaml"
    models.write_text(f"smollm2_135m_instruct: {{family: causal, local: {MODEL}, licence: Apache-2.0}}\n", "utf-8")
    overlay.write_text(OVERLAY.format(shared=shared, models=models, max_test=MAX_TEST), encoding="utf-8")
    files = ("config/tiers/laptop.yaml", str(overlay))  # not on top of the mini tier
    targets = [f"results/laptop_small/{name}" for name in TARGETS]
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--configfile", *files, "--", *targets]
    done = workspace.run_command(command)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return workspace.folder / "results/laptop_small"


def test_the_distiller_is_of_the_first_layers_and_both_stages_are_trained(results: Path) -> None:
    folder = results / "mend/distillers/smollm2_135m"
    for place, stage in ((folder / "pretraining/distillation/distillation", 1), (folder / "little/main/mend", 2)):
        assert read_json(place / "config.json")["num_hidden_layers"] == LAYERS
        told = read_json(place / "distiller.json")
        assert (told["training"]["stage"], told["pooler"], told["n_vectors"]) == (stage, "scaled", 16)
    losses = read_json(folder / "little/main.json")["mend"]["losses"]
    assert all(len(losses[name]) == 2 and all(map(math.isfinite, losses[name])) for name in ("kl", "lm"))


def test_every_method_has_a_score_in_range(results: Path) -> None:
    rows = [row for row in read_csv(results / TARGETS[0]) if row["metric"] == "score"]
    assert {row["method"] for row in rows} == set(METHODS)
    assert len(rows) == len(METHODS) * len(TEST) * len(SEEDS)
    assert all(0 <= float(row["value"]) <= 1 and int(row["n"]) == MAX_TEST for row in rows)


def test_cost_is_counted_for_the_distiller_as_it_is(results: Path) -> None:
    counted = {
        (row["method"], row["metric"]): float(row["value"])
        for row in read_metrics(results / TARGETS[1])
        if row["setting"] == "k_4"
    }
    whole = counted["icl_cached", "prepare_parameters"]
    assert (
        0.4 * whole < counted["mend", "prepare_parameters"] - whole < 0.55 * whole
    )  # its words and a third of the rest
    assert counted["mend", "query_flops"] < counted["icl_uncached", "query_flops"]
