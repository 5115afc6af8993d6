"""DELIFT's rules on real data with a real pre-trained model: 300 rows of Alpaca-GPT4, and GSM8K as the benchmark.

Stage 1 chooses from the rows for themselves, stage 2 for GSM8K, with a 260 k parameter Llama that knows children's
stories and nothing else: this checks numbers against plain computations, not the paper's effect.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scripts.common.files import read_csv, read_json, read_jsonl
from tests.workspace import Workspace

N_POOL, N_OTHER = 300, 8
OVERLAY = """
tier: real
papers: [delift]
data: {{source: mirror, mirror: {shared}/data, seed: 0}}
registries: {{datasets: [], models: [{models}]}}
tasks: {{names: []}}
delift:
  pairs:
    alpaca:
      stage: 1
      pool: {{dataset: alpaca_gpt4_bad, split: train, from: 0, to: 0.9}}
      reference: null
      validation: {{dataset: alpaca_gpt4_bad, split: train, from: 0.9, to: 0.95}}
      test: {{dataset: alpaca_gpt4_bad, split: train, from: 0.95, to: 1}}
      rows: {{pool: 8134, reference: 0}}
      targets: validation
      scale: own
      learn_reference: false
      truth: null
      private: null
    alpaca_gsm8k:
      stage: 2
      pool: {{dataset: alpaca_gpt4_bad, split: train, from: 0, to: 0.9}}
      reference: {{dataset: gsm8k_instruction, split: test, from: 0, to: 0.7}}
      validation: {{dataset: gsm8k_instruction, split: test, from: 0.7, to: 0.9}}
      test: {{dataset: gsm8k_instruction, split: test, from: 0.9, to: 1}}
      rows: {{pool: 8134, reference: 923}}
      targets: validation
      scale: own
      learn_reference: false
      truth: null
      private: null
  limits: {{pool: {n_pool}, reference: {n}, validation: {n}, test: {n}}}
  prompt: delift
  utility:
    max_tokens: 512
    block_size: 200
    special_tokens: {{before: none, between: eos, after: eos}}
    templates:
      alone: "Query: {{prompt}}\\n"
      example: "Example:\\n{{prompt}}\\n{{response}}\\n\\n"
      query: "Query:\\n{{prompt}}\\n"
  embed: {{model: stories260k, pooling: mean, max_tokens: 256, output: "\\nOutput: {{output}}"}}
  seeds: {{icl: [0], peft: [0], fft: [0]}}
  finetune: {{prompt: alpaca, fft: {{max_steps: 3, batch_size: 2, max_tokens: 256}}}}
  generate: {{max_new_tokens: 6, stop: [], batch_size: 8}}
  table_1:
    runs: [{{pair: alpaca, model: stories260k}}]
    learnings: [fft]
    methods: [initial, random, delift_se, delift]
    also: []
  table_3: {{not_run: not asked for here}}
  table_4:
    not_run: null
    runs: [{{pair: alpaca_gsm8k, model: stories260k}}]
    learnings: [fft]
    methods: [initial, random, delift]
    also: []
    metrics: [rouge_1, bge_cosine, judge_score]
  table_6: {{not_run: not asked for here}}
  table_fft: {{not_run: not asked for here}}
  table_time: {{not_run: not asked for here}}
  table_selection_quality: {{not_run: not asked for here}}
  figure_subset_size: {{not_run: not asked for here}}
  figure_laj: {{not_run: not asked for here}}
  figure_stages: {{not_run: not asked for here}}
"""
HERE = Path("results/real/delift")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Path:
    """Score, choose, train and answer on the real rows; return the working folder."""
    folder = tmp_path_factory.mktemp("delift_real")
    workspace = Workspace(folder)
    models = folder / "my_models.yaml"
    models.write_text(
        f"stories260k:\n  family: causal\n  local: {shared}/models/stories260k\n  licence: MIT\n", encoding="utf-8"
    )
    overlay = folder / "real.yaml"
    overlay.write_text(OVERLAY.format(shared=shared, models=models, n_pool=N_POOL, n=N_OTHER), encoding="utf-8")
    done = workspace.run("delift_table_1", "delift_table_4", "delift_viewer", configfiles=(str(overlay),))
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return folder


def part(run: Path, pair: str, name: str) -> list[dict[str, Any]]:
    return read_jsonl(run / HERE / "data" / pair / f"{name}.jsonl")


def test_the_parts_are_real_rows(run: Path) -> None:
    assert len(part(run, "alpaca", "pool")) == N_POOL
    asked = part(run, "alpaca_gsm8k", "reference")
    assert len(asked) == N_OTHER
    assert all("####" in row["output"] for row in asked)


def test_utilities_equal_a_plain_computation(run: Path, shared: Path) -> None:
    """The whole prompt of a pair, one forward pass, a softmax over everything: the slow, obvious way."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(shared / "models/stories260k", dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(shared / "models/stories260k")
    end = tokenizer.eos_token_id

    def prompt(row: dict[str, str]) -> str:
        return f"Instruction: {row['instruction']}\nInput: {row['input']}\n"

    def response(row: dict[str, str]) -> str:
        return f" {row['output']}"

    def distance(text: str, row: dict[str, str]) -> float:
        before = [*tokenizer(text, add_special_tokens=False)["input_ids"], end]
        answer = [*tokenizer(response(row), add_special_tokens=False)["input_ids"], end]
        ids = (before + answer)[:512]
        with torch.no_grad():
            probabilities = model(torch.tensor([ids])).logits[0].double().softmax(-1)
        true = [float(probabilities[i - 1, ids[i]]) for i in range(len(before), len(ids))]
        return float(np.sqrt(np.mean([(p - 1) ** 2 for p in true])))

    pool, targets = part(run, "alpaca_gsm8k", "pool"), part(run, "alpaca_gsm8k", "validation")
    block = np.load(run / HERE / "utility/alpaca_gsm8k/stories260k/block_0.npy")
    assert block.shape == (200, N_OTHER)
    for j in (0, 57, 199):
        for i in (0, 5):
            row, example = targets[i], pool[j]
            shown = f"Example:\n{prompt(example)}\n{response(example)}\n\nQuery:\n{prompt(row)}\n"
            if len(tokenizer(shown)["input_ids"]) > 400:
                continue
            plain = distance(f"Query: {prompt(row)}\n", row) - distance(shown, row)
            assert abs(plain - block[j, i]) < 1e-5


@pytest.mark.parametrize("pair", ["alpaca", "alpaca_gsm8k"])
def test_the_subset_is_the_greedy_choice_on_the_kernel(run: Path, pair: str) -> None:
    folder = run / HERE / "kernels" / pair / "stories260k"
    kernel = np.load(folder / "pool.npy").astype(np.float64)
    assert kernel.shape == (N_OTHER, N_POOL)
    cap = np.load(folder / "reference.npy").max(axis=1) if pair == "alpaca_gsm8k" else np.ones(N_OTHER)
    values = np.minimum(kernel, cap[:, None])
    best, expected = np.zeros(N_OTHER), []
    while True:
        gains = np.maximum(values - best[:, None], 0).sum(axis=0)
        gains[expected] = -1
        if gains.max() < 1e-6:
            break
        expected.append(int(gains.argmax()))
        best = np.maximum(best, values[:, expected[-1]])
    subset = read_json(run / HERE / "subsets" / pair / "stories260k/delift/selection.json")["subsets"][0]
    ids = [row["id"] for row in part(run, pair, "pool")]
    assert subset["n"] == 90
    assert subset["ids"][: len(expected)] == [ids[j] for j in expected]


def test_the_tables_hold_real_answers(run: Path) -> None:
    rows = {row["subset"]: row for row in read_csv(run / "results/real/tables/delift_table_4.csv")}
    assert {"base model", "random, 30 %", "DELIFT, 30 %"} <= set(rows)
    assert (run / HERE / "viewer.html").stat().st_size > 1_000_000
