"""MEND's rules on real task files with a real pre-trained model, from upstream rows to scores.

News in two files for stage 1; SST-2, AG News and a template of T0 to train on, CoLA and BANKING77 to test on, converted
by datasets 1.4.0 in its own environment; a 260 k parameter Llama that knows children's stories is language model and
distiller. Training is two steps long, so this checks data, prompts and numbers, not the paper's effect.
"""

from __future__ import annotations

import csv
import gzip
import shutil
from pathlib import Path

import pytest
import yaml

from scripts.common.files import read_csv, read_json, read_jsonl, write_jsonl
from scripts.data.schemas import read_examples
from scripts.mend import task_files
from tests.steps.test_prepare_tasks import old_python  # noqa: F401  the fixture
from tests.steps.test_rebuild_task import FILES, REAL
from tests.workspace import Workspace

TRAIN, TEST, SEEDS = ("glue-sst2", "ag_news", "t0_cosmos_qa"), ("glue-cola", "banking77"), (13, 21)
MAX_TEST = 6
OVERLAY = """
tier: real
papers: [mend]
data: {{source: mirror, mirror: {shared}/data, seed: 0}}
registries: {{datasets: [{datasets}], models: [{models}]}}
tasks: {{names: []}}
compute: {{device: cpu, dtype: float32, threads: 1, batch_tokens: 2048, memory_mb: 2000, gpus: 0, runtime: 15m}}
mend:
  backbone: stories
  backbones:
    stories: {{model: stories260k, distiller: stories260k, format: short, pretrained: null, pretrained_lm: null}}
  formats:
    short: {{method: direct, after_input: "\\n", after_output: "\\n\\n", output_space: false,
             max_example_tokens: 60, max_tokens: 500, max_distiller_tokens: 450}}
  tasks: {{source: rebuild, raw: {raw}, texts: news}}
  settings: [real]
  study_settings: [real]
  train_shots: 64
  shots: 4
  seeds: [13, 21]
  n_demonstrations: 4
  devices: 1
  max_test: {max_test}
  pretrain: {{steps: 2, batch_size: 2, n_vectors: 4, evaluate_steps: 1, dev_queries: 2, save_steps: 0}}
  finetune: {{steps: 2, batch_size: 2, n_vectors: 4, n_demonstrations: 4, placeholder_start: vocabulary,
              evaluate_steps: 1, dev_queries: 2, save_steps: 0, learning_rate: 1.0e-3}}
  variants:
    mend: {{start: distillation, placeholder_start: keep}}
    hyper_tuning: {{start: language_model, placeholder_start: keep, kl_weight: 0.0}}
  tune: {{steps: 2, batch_size: 2, n_demonstrations: 4, save_steps: 0}}
  prompt_tuning: {{n_vectors: 4, steps: 2, batch_size: 2, n_examples: 4}}
  table_2: {{backbones: [stories], methods: [zero_shot, icl, metaicl, prompt_tuning, hyper_tuning, mend]}}
"""


def write_texts(folder: Path) -> Path:
    """Write 60 news in two files as the texts of stage 1; return the registry that names them."""
    with gzip.open(folder / "raw/ag_news/test.csv.gz", "rt", encoding="utf-8") as stream:
        news = [{"text": text} for _, (_, _, text) in zip(range(60), csv.reader(stream))]
    for part in (0, 1):
        write_jsonl(folder / f"news_{part}.jsonl", news[30 * part : 30 * (part + 1)])
    splits = {"train": {"parts": 2, "file": f"{folder}/news_{{part}}.jsonl"}}
    row = {"schema": "text", "reader": "json", "origin": "local", "licence": "own", "splits": splits}
    (folder / "my_datasets.yaml").write_text(yaml.safe_dump({"news": row}), encoding="utf-8")
    return folder / "my_datasets.yaml"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, shared: Path, old_python: Path) -> Path:  # noqa: F811
    """Convert the real files and score every method of the main table on them; return the working folder."""
    folder = tmp_path_factory.mktemp("real")
    workspace = Workspace(folder / "work", "config")
    work = workspace.folder
    registry = yaml.safe_load((work / "config/metaicl.yaml").read_text(encoding="utf-8"))
    setting = {"title": "Real", "train": list(TRAIN), "test": list(TEST), "unseen": [], "dropped": []}
    setting.update(n={"train": len(TRAIN), "test": len(TEST)}, examples=0)
    registry["settings"]["real"] = setting
    registry["tasks"].update({name: REAL[name] for name in (*TRAIN, *TEST)})
    (work / "config/metaicl.yaml").write_text(yaml.safe_dump(registry), encoding="utf-8")
    for task in (*TRAIN, *TEST):
        (folder / "raw" / task).mkdir(parents=True)
        for name, source in FILES[task].items():
            shutil.copy(shared / "data" / source, folder / "raw" / task / name)
    models, overlay = folder / "my_models.yaml", folder / "real.yaml"
    models.write_text(f"stories260k: {{family: causal, local: {shared}/models/stories260k, licence: MIT}}\n")
    datasets = write_texts(folder)
    text = OVERLAY.format(shared=shared, models=models, datasets=datasets, raw=folder / "raw", max_test=MAX_TEST)
    overlay.write_text(text, encoding="utf-8")
    done = workspace.run("results/real/mend/scores/stories/real/main.csv", configfiles=(str(overlay),))
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return folder


def test_every_task_has_its_files(run: Path) -> None:
    folder = run / "work/results/real/data/metaicl"
    for task in TRAIN:
        assert len(read_examples(folder / task / f"{task}_64_100_train.jsonl", "classification")) == 64
    for task in TEST:
        for seed in SEEDS:
            assert len(read_examples(folder / task / f"{task}_4_{seed}_train.jsonl", "classification")) == 4


def test_both_stages_are_trained(run: Path) -> None:
    folder = run / "work/results/real/mend/distillers/stories"
    for name in ("distillation", "language_model"):
        history = read_json(folder / f"pretraining/{name}.json")[name]
        assert history["steps"] == 2
        assert history["best"] is not None
        assert any(history["losses"]["lm"]) == (name == "language_model")
    assert read_json(folder / "real/main/mend/distiller.json")["training"]["stage"] == 2


def test_rows_come_from_the_real_files(run: Path) -> None:
    folder = run / "work/results/real/data/metaicl"
    with gzip.open(run / "raw/ag_news/test.csv.gz", "rt", encoding="utf-8") as stream:
        real = {f"{title} {text}".strip() for _, title, text in csv.reader(stream)}
    assert {row["input"] for row in read_jsonl(folder / "ag_news/ag_news_64_100_train.jsonl")} <= real
    rows = read_jsonl(folder / "banking77/test.jsonl")
    assert len(rows[0]["options"]) == 77


def test_every_method_has_a_score_in_range(run: Path) -> None:
    rows = [
        row for row in read_csv(run / "work/results/real/mend/scores/stories/real/main.csv") if row["metric"] == "score"
    ]
    assert len(rows) == 6 * len(TEST) * len(SEEDS)
    assert all(0 <= float(row["value"]) <= 1 and int(row["n"]) == MAX_TEST for row in rows)


def test_zero_shot_equals_a_plain_computation(run: Path, shared: Path) -> None:
    """One option, one forward pass, a softmax over everything: the slow, obvious way."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(shared / "models/stories260k", dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(shared / "models/stories260k")

    def ids(text: str) -> list[int]:
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    def score(row: dict, option: str) -> float:
        answer, between = ids(option), ids("\n")
        before = ids(row["input"])[: 60 - len(answer) - len(between) - len(ids("\n\n"))] + between
        with torch.no_grad():
            logprobs = model(torch.tensor([before + answer])).logits[0].double().log_softmax(-1)
        return sum(float(logprobs[len(before) + i - 1, token]) for i, token in enumerate(answer)) / len(answer)

    rows = task_files.test_rows(run / "work/results/real/data/metaicl/glue-cola/test.jsonl", MAX_TEST)
    right = sum(max(row["options"], key=lambda option, row=row: score(row, option)) == row["output"] for row in rows)
    found = {
        float(row["value"])
        for row in read_csv(run / "work/results/real/mend/scores/stories/real/main.csv")
        if (row["method"], row["task"], row["metric"]) == ("zero_shot", "glue-cola", "accuracy")
    }
    (value,) = found  # the seeds share the test file
    assert value == pytest.approx(right / MAX_TEST, abs=1e-6)
