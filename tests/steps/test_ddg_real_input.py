"""Real texts through stages A to C and both evaluations: SST-2, BANKING77 at a small size, DiLM's released sets.

Generator and language model are stories260k; the learner is the shipped encoder, which knows few of these words: what
is checked is that every step takes real text, not how good the sets are.
"""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.data.preparing import sample
from scripts.data.readers import read_raw
from scripts.data.schemas import write_examples
from scripts.ddg import (
    convert_sets,
    evaluate_in_context,
    generate_sets,
    match_gradients,
    select_coresets,
    train_generator,
    train_learners,
)
from scripts.ddg.distilled import read_set, set_path

COMPUTE = ["--dtype", "float32", "--device", "cpu", "--threads", "1"]
OPTIMIZER = {
    "learning_rate": 1e-3,
    "schedule": "cosine",
    "warmup_ratio": 0.1,
    "weight_decay": 0.01,
    "max_grad_norm": 1.0,
    "weight_decay_on": "except_bert_norms",
    "warmup_rounding": "exact",
    "adam_epsilon_rule": "after_correction",
}
COLUMN = ["sentence"]
SAMPLING = {"top_p": 0.95, "max_new_tokens": 24, "batch_size": 64}
READING = {"pooling": "model", "max_tokens": 48, "batch_size": 64}
METHODS = {"ddg": "sets", "k_centers": "k_centers"}
LEARN: dict[str, Any] = {
    "text_columns": COLUMN, "models": 1, "steps": 3, "full_steps": 1, "batch_size": 32, "optimizer": OPTIMIZER,
    "pooling": "model", "max_tokens": 48, "dropout": False, "parallel": 4, "test_batch_size": 64,
}  # fmt: skip


def examples(repo_root: Path, shared: Path, folder: Path, name: str, split: str, kept: list[str], size: int) -> Path:
    """Write canonical rows of a real dataset with the labels `kept`, `size` in all."""
    row = yaml.safe_load((repo_root / "config" / "datasets.yaml").read_text(encoding="utf-8"))[name]
    path = shared / "data" / row["splits"][split]["file"]
    rows = read_raw(path, row["reader"], row["schema"], labels=row["labels"], task=name)
    rows = [{**one, "options": kept} for one in rows if one["output"] in kept]
    write_examples(folder / f"{split}.jsonl", sample(rows, size, 0), "classification")
    return folder / f"{split}.jsonl"


def ask(repo_root: Path, shared: Path, folder: Path, test: Path, dpc: int, prompts: dict[str, str], *sets: str) -> None:
    """Run evaluation B with stories260k on 8 queries, one round."""
    settings = {
        "text_columns": COLUMN, "dpc": dpc, "draws": 1, "turns": 10, "orders": dict.fromkeys(prompts, "rounds"),
        "scorers": {key: ["generate", "labels"] for key in prompts}, "only": {}, "instruct": False,
        "label_norm": "mean", "retrieval_rounds": [1], "batch_tokens": 256,
    }  # fmt: skip
    files = [f"{name}={repo_root / 'config' / 'prompts' / 'ddg' / f'{file}.yaml'}" for name, file in prompts.items()]
    evaluate_in_context.main(
        [
            *("--sets", *sets, "--test", str(test), "--prompts", *files, *COMPUTE),
            *("--model", str(shared / "models" / "stories260k"), "--settings", json.dumps(settings)),
            *("--seeds", "0", "--round", "1", "--test-number", "8"),
            *("--runs-out", str(folder / "context.csv"), "--answers-out", str(folder / "context.jsonl")),
        ]
    )


@pytest.mark.parametrize(
    ("name", "kept"),
    [("sst2", ["negative", "positive"]), ("banking77", ["card_arrival", "change_pin", "pin_blocked"])],
)
def test_stages_take_real_texts(repo_root, shared, tmp_path, name, kept):
    train = examples(repo_root, shared, tmp_path, name, "train", kept, 120)
    test = examples(repo_root, shared, tmp_path, name, "test", kept, 40)
    encoder = str(repo_root / "resources" / "mini" / "encoder")
    given = ["--examples", str(train), *COMPUTE, "--seeds", "0", "--checkpoints", str(tmp_path / "checkpoints")]
    pretrain = {
        "text_columns": COLUMN, "steps": 4, "batch_size": 16, "optimizer": OPTIMIZER, "max_tokens": 64,
        "loss_norm": "padded", "pad_multiple": 8, "save_steps": 0,
    }  # fmt: skip
    train_generator.main(
        [
            *given, "--model", str(shared / "models" / "stories260k"), "--settings", json.dumps(pretrain),
            "--generators-out", str(tmp_path / "vanilla"), "--history-out", str(tmp_path / "vanilla.json"),
        ]
    )  # fmt: skip
    match = {
        "text_columns": COLUMN, "outer_loops": 1, "inner_steps": 2, "learner_steps": 1, "synthetic_per_class": 4,
        "real_per_class": 6, "temperature": 1.0, "lm_weight": 0.0, "lm_batch_size": 4, "max_tokens": 64,
        "loss_norm": "padded", "pad_multiple": 8, "dropout": True, "generator_batch": 5, "optimizer": OPTIMIZER,
        "representative": {"versions": 2, "size": 6}, "clusters": 2, "interval": 1, "teacher": "ema",
        "teacher_init": "shared", "teacher_decay": 0.99, "sampling": SAMPLING, "monitor_texts": 4, "save_loops": 0,
        "learner": {
            "pooling": "model", "max_tokens": 48, "batch_size": 16, "read_batch_size": 64, "optimizer": OPTIMIZER
        },
    }  # fmt: skip
    match_gradients.main(
        [
            *given, "--generators", str(tmp_path / "vanilla"), "--learner", encoder, "--settings", json.dumps(match),
            "--generators-out", str(tmp_path / "ddg"), "--history-out", str(tmp_path / "ddg.json"),
        ]
    )  # fmt: skip
    sets = {
        "text_columns": COLUMN, "dpcs": [3], "draws": 1, "over_sample": 3, "selection": "k_centers",
        "draw_seeds": "released", "sampling": SAMPLING, "reading": READING,
    }  # fmt: skip
    common = ["--examples", str(train), "--encoder", encoder, *COMPUTE[2:], "--seeds", "0"]
    generate_sets.main(
        [
            *common, "--generators", str(tmp_path / "ddg"), "--settings", json.dumps(sets),
            "--sets-out", str(tmp_path / "sets"), "--report-out", str(tmp_path / "sets.json"),
        ]
    )  # fmt: skip
    coresets = {"text_columns": COLUMN, "method": "k_centers", "dpcs": [3], "draws": 1, "reading": READING}
    coresets |= {"draw_seeds": "released", "herding_order": "rows"}
    select_coresets.main([*common, "--settings", json.dumps(coresets), "--sets-out", str(tmp_path / "k_centers")])
    distilled = read_set(set_path(tmp_path / "sets", 0, 3, 0), COLUMN, len(kept))
    assert all(text[0].strip() for text in distilled.texts)
    assert len(distilled.texts) == 3 * len(kept)
    train_learners.main(
        [
            *("--sets", f"ddg={tmp_path / 'sets'}", f"k_centers={tmp_path / 'k_centers'}"),
            *("--test", str(test), "--learner", encoder, *COMPUTE[2:], "--seeds", "0"),
            *("--settings", json.dumps({**LEARN, "dpcs": [3], "draws": 1})),
            *("--runs-out", str(tmp_path / "runs.csv")),
        ]
    )
    with open(tmp_path / "runs.csv", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["method"] for row in rows} == {"ddg", "k_centers"}
    assert all(row["n"] == "40" for row in rows)
    prompts = {"longicl": "intents" if name == "banking77" else "single"}
    ask(repo_root, shared, tmp_path, test, 3, prompts, *(f"{m}={tmp_path / f}" for m, f in METHODS.items()))
    with open(tmp_path / "context.csv", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["method"] for row in rows} == {"zero_shot", "ddg", "k_centers"}
    assert all(row["n"] == "8" for row in rows)


def test_released_sets_of_dilm_go_through_both_evaluations(repo_root, shared, tmp_path):
    """The path without training: released sets, the shipped encoder, stories260k, real SST-2 test texts."""
    test = examples(repo_root, shared, tmp_path, "sst2", "test", ["negative", "positive"], 40)
    for draw in range(2):
        target = set_path(tmp_path / "dilm", 0, 5, draw)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(shared / "data" / "dilm_synthetic" / f"sst2_dpc5_{draw}.json", target)
    train_learners.main(
        [
            *("--sets", f"dilm_released={tmp_path / 'dilm'}", "--test", str(test)),
            *("--learner", str(repo_root / "resources" / "mini" / "encoder"), *COMPUTE[2:], "--seeds", "0"),
            *("--settings", json.dumps({**LEARN, "dpcs": [5], "draws": 2})),
            *("--runs-out", str(tmp_path / "runs.csv")),
        ]
    )
    with open(tmp_path / "runs.csv", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["metric"] for row in rows] == ["accuracy", "matthews", "accuracy_f1_mean"] * 2
    convert_sets.main(
        [
            *("--sets", str(tmp_path / "dilm"), "--labels", "negative", "positive", "--text-columns", *COLUMN),
            *("--label-text", "no", "--label-lists", "no", "--converted-out", str(tmp_path / "parquet")),
        ]
    )
    assert len(list((tmp_path / "parquet").rglob("*.parquet"))) == 2
    ask(
        repo_root,
        shared,
        tmp_path,
        test,
        5,
        {"longicl": "single", "dilm": "dilm"},
        f"dilm_released={tmp_path / 'dilm'}",
    )
    with open(tmp_path / "context.csv", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    found = {(row["protocol"], row["scorer"], row["method"], row["round"]) for row in rows}
    assert ("dilm", "labels", "dilm_released", "1") in found
    assert ("longicl", "generate", "zero_shot", "0") in found
