"""The rules on real data with a real pre-trained model: a sample of Alpaca-GPT4's low-score subset.

200 of the 9,038 rows of alpaca_gpt4_bad.json are scored against the 100 published anchors with a 260 k parameter Llama;
all of them would take about an hour on one core. The model knows children's stories and nothing else, so this checks
numbers against a plain computation, not the paper's effect.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.common.files import read_csv, read_json, read_jsonl
from tests.workspace import Workspace

N_ROWS = 200
OVERLAY = """
tier: real
data: {{source: mirror, mirror: {shared}/data, seed: 0}}
registries: {{datasets: [], models: [{models}]}}
tasks: {{names: []}}
nuggets:
  dataset: alpaca_gpt4_bad
  model: stories260k
  pool_size: 9038
  limit: {limit}
  truth: null
  anchor_dataset: alpaca_gpt4_kmeans_100
  anchors: given
  score: {{too_long: truncate, shard_size: 100}}
  seeds: [0]
  finetune: {{prompt: alpaca, max_steps: 3, batch_size: 2, max_tokens: 256}}
  benchmarks: {{alpaca_eval: alpaca_eval_example, mt_bench: mt_bench}}
  table_1: {{methods: [top]}}
  table_2: {{methods: [top]}}
  table_3: {{anchor_sets: [given], methods: [top]}}
  table_baselines: {{methods: [top]}}
  figure_pairwise: {{reference: full, methods: [top]}}
"""
SCORES = "results/real/nuggets/scores/alpaca_gpt4_bad/stories260k/given"
SUBSETS = "results/real/nuggets/subsets/alpaca_gpt4_bad/stories260k/given"
TRAINED = "results/real/nuggets/train/alpaca_gpt4_bad/stories260k/runs_0"  # given/top


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Path:
    """Score, select and train on the real rows; return the working folder."""
    folder = tmp_path_factory.mktemp("real")
    workspace = Workspace(folder)
    models = folder / "my_models.yaml"
    models.write_text(
        f"stories260k:\n  family: causal\n  local: {shared}/models/stories260k\n  licence: MIT\n", encoding="utf-8"
    )
    overlay = folder / "real.yaml"
    overlay.write_text(OVERLAY.format(shared=shared, models=models, limit=N_ROWS), encoding="utf-8")
    done = workspace.run(
        f"{SCORES}/scores.csv",
        f"{SUBSETS}/gt_0.5",
        f"{TRAINED}.json",
        "results/real/data/examples/alpaca_eval_example/test.jsonl",
        "results/real/data/examples/mt_bench/test.jsonl",
        configfiles=(str(overlay),),
        options=("--notemp",),
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return folder


def test_every_row_has_a_score_in_range(run: Path) -> None:
    rows = read_csv(run / SCORES / "scores.csv")
    scores = [float(row["golden_score"]) for row in rows]
    assert len(rows) == N_ROWS
    assert all(0 <= score <= 1 for score in scores)
    assert all(abs(score * 100 - round(score * 100)) < 1e-9 for score in scores)
    assert len(set(scores)) > 5
    assert sorted(int(row["rank"]) for row in rows) == list(range(1, N_ROWS + 1))
    merged = read_jsonl(run / SCORES / "sorted_pool.jsonl")
    assert [row["score"] for row in merged] == sorted(scores, reverse=True)


def test_benchmarks_are_read_whole(run: Path) -> None:
    examples = run / "results/real/data/examples"
    assert len(read_jsonl(examples / "alpaca_eval_example/test.jsonl")) == 805
    assert len(read_jsonl(examples / "mt_bench/test.jsonl")) == 80


def test_the_subset_is_what_the_scores_say(run: Path) -> None:
    chosen = {row["id"] for row in read_jsonl(run / SUBSETS / "gt_0.5" / "seed_0.jsonl")}
    assert chosen == {row["id"] for row in read_csv(run / SCORES / "scores.csv") if float(row["golden_score"]) > 0.5}


def test_the_model_was_trained_on_it(run: Path) -> None:
    assert "loss" in json.dumps(read_json(run / f"{TRAINED}.json"))
    assert (run / TRAINED / "given" / "top" / "seed_0" / "model.safetensors").is_file()


def test_scores_equal_a_plain_computation(run: Path, shared: Path) -> None:
    """One demonstration, one anchor, one forward pass, a softmax over everything: the slow, obvious way."""
    import torch
    from safetensors import safe_open
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(shared / "models/stories260k", dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(shared / "models/stories260k")

    def query(row: dict[str, str]) -> str:
        middle = f"Input:\n{row['input'].strip()}\n" if row["input"].strip() else ""
        return f"Instruction:\n{row['instruction'].strip()}\n{middle}Response:\n"

    def logprob(before: list[int], row: dict[str, str]) -> float:
        ids = tokenizer(query(row) + row["output"].strip(), add_special_tokens=False)["input_ids"][:200]
        start = len(tokenizer(query(row), add_special_tokens=False)["input_ids"])
        with torch.no_grad():
            logits = model(torch.tensor([before + ids])).logits[0]
        places = range(len(before) + start, len(before) + len(ids))
        return sum(float(logits[i - 1].double().log_softmax(-1)[(before + ids)[i]]) for i in places)

    anchors = read_jsonl(run / "results/real/nuggets/anchors/alpaca_gpt4_bad/stories260k/given.jsonl")
    pool = read_jsonl(run / f"results/real/data/examples/alpaca_gpt4_bad/train_sample_{N_ROWS}.jsonl")
    with safe_open(run / SCORES / "raw.safetensors", framework="np") as raw:
        zero_shot, one_shot, n_tokens = (raw.get_tensor(name) for name in ("zero_shot", "one_shot", "n_tokens"))
    short = [i for i, row in enumerate(pool) if len(query(row) + row["output"]) < 350][:3]
    assert len(short) == 3
    for j in (0, 17, 99):
        allowed = 1e-4 * max(1, n_tokens[j])
        assert abs(logprob([], anchors[j]) - zero_shot[j]) < allowed
        for i in short:
            demonstration = tokenizer(query(pool[i]) + pool[i]["output"].strip())["input_ids"]
            assert abs(logprob(demonstration, anchors[j]) - one_shot[i, j]) < allowed
