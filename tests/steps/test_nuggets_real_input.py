"""Real Alpaca-GPT4 rows against the 100 real anchors with a real pre-trained model, through the steps' own commands.

A sample of the 9,038 rows of the released low-score file, spread over it and with its longest rows, scored with the
stories model of 260,000 parameters (window 512, so that long demonstrations are cut). It knows children's stories
only: equality, counts and ranges are checked, never the paper's effect.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open

from scripts.common.files import read_csv, read_json, read_jsonl, write_json
from scripts.data import prepare_examples
from scripts.lm.load import load_model
from scripts.nuggets import (
    collect_scores,
    count_scores,
    embed_prompts,
    score_candidates,
    score_difficulty,
    select_anchors,
    select_subset,
)
from scripts.nuggets.golden import GoldenScorer
from tests.unit.nuggets_tiny import PROMPT, plain_text, score_settings

N_SPREAD, N_LONG, N_ANCHORS, SHARD = 21, 3, 100, 16
N_CANDIDATES = N_SPREAD + N_LONG
WINDOW, ANCHOR_TOKENS = 512, 200
READ = {"reader": "alpaca_json", "schema": "instruction", "columns": {}, "labels": None, "header": None, "task": None}


def prepare(raw: Path, out: Path) -> list[dict[str, str]]:
    """Bring a raw file into the canonical form with the data step."""
    settings = json.dumps({**READ, "limit": None, "seed": 0})
    prepare_examples.main(["--raw", str(raw), "--settings", settings, "--examples-out", str(out)])
    return read_jsonl(out)


def choose_sample(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows spread over the file, and its longest ones."""
    longest = sorted(rows, key=lambda row: -len(row["output"]))[:N_LONG]
    return rows[:: len(rows) // N_SPREAD][:N_SPREAD] + longest


@pytest.fixture(scope="module")
def done(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run every step on the sample; return the folder, the rows and the flags that load the model."""
    folder = tmp_path_factory.mktemp("real")
    data = shared / "data" / "alpaca_gpt4"
    released = read_json(data / "alpaca_gpt4_bad.json.gz")
    write_json(folder / "sample.json", choose_sample(released))
    pool = prepare(folder / "sample.json", folder / "pool.jsonl")
    anchor_pool = prepare(data / "alpaca_gpt4_kmeans_100.json", folder / "anchor_pool.jsonl")
    model = [
        "--model",
        str(shared / "models" / "stories260k"),
        "--dtype",
        "float32",
        "--device",
        "cpu",
        "--threads",
        "1",
    ]
    select_anchors.main(
        ["--pool", str(folder / "anchor_pool.jsonl"), "--anchor-set", '{"by": "given", "n": null}', "--seed", "0"]
        + ["--threads", "1", "--anchors-out", str(folder / "anchors.jsonl")]
    )
    settings = json.dumps(score_settings(too_long="truncate", batch_tokens=2048).given())
    for start in range(0, N_CANDIDATES, SHARD):
        score_candidates.main(
            ["--pool", str(folder / "pool.jsonl"), "--anchors", str(folder / "anchors.jsonl"), *model]
            + ["--start", str(start), "--stop", str(start + SHARD), "--settings", settings]
            + ["--scores-out", str(folder / f"shard_{start}.jsonl")]
            + ["--raw-out", str(folder / f"shard_{start}.raw.safetensors")]
        )
    collect_scores.main(
        ["--pool", str(folder / "pool.jsonl"), "--shards", *map(str, sorted(folder.glob("shard_*.jsonl")))]
        + ["--raws", *map(str, sorted(folder.glob("shard_*.raw.safetensors")))]
        + ["--scores-out", str(folder / "scores.csv"), "--raw-out", str(folder / "raw.safetensors")]
        + ["--sorted-out", str(folder / "sorted_pool.jsonl")]
    )
    return {"folder": folder, "released": released, "pool": pool, "anchors": anchor_pool, "model": model}


@pytest.fixture(scope="module")
def raw(done: dict[str, Any]) -> dict[str, np.ndarray]:
    with safe_open(done["folder"] / "raw.safetensors", framework="numpy") as file:
        return {name: file.get_tensor(name) for name in ("zero_shot", "one_shot", "n_tokens")}


def test_the_released_file_is_what_its_description_says(done: dict[str, Any]) -> None:
    scores = [row["score"] for row in done["released"]]
    assert (len(scores), min(scores), max(scores)) == (9038, 0.06, 0.5)
    assert sum(scores) / len(scores) == pytest.approx(0.387, abs=5e-4)


def test_counts_and_ranges(done: dict[str, Any], raw: dict[str, np.ndarray]) -> None:
    rows = read_csv(done["folder"] / "scores.csv")
    assert [row["id"] for row in rows] == [row["id"] for row in done["pool"]]
    assert len(rows) == N_CANDIDATES
    assert len(read_jsonl(done["folder"] / "anchors.jsonl")) == N_ANCHORS
    assert raw["one_shot"].shape == (N_CANDIDATES, N_ANCHORS)
    assert np.isfinite(raw["one_shot"]).all()
    assert (raw["one_shot"] <= 0).all()
    improved = (raw["one_shot"] > raw["zero_shot"]).sum(axis=1)
    for row, n_improved in zip(rows, improved):
        score = float(row["golden_score"])
        assert 0 <= score <= 1
        assert score * N_ANCHORS == pytest.approx(round(score * N_ANCHORS), abs=1e-6)
        assert (int(row["n_improved"]), int(row["n_anchors"])) == (n_improved, N_ANCHORS)
    assert sorted(int(row["rank"]) for row in rows) == list(range(1, N_CANDIDATES + 1))
    assert len(set(improved)) > 5  # candidates differ
    scores = [row["score"] for row in read_jsonl(done["folder"] / "sorted_pool.jsonl")]
    assert scores == sorted(scores, reverse=True)


def plain_pair(
    loaded: Any, demonstration: dict[str, str] | None, anchor: dict[str, str], longest: int
) -> tuple[float, int]:
    """Return (summed log-probability, scored tokens) by one forward pass of the joined ids and a full log-softmax."""
    query, whole = plain_text(anchor)
    n_query = len(loaded.tokenizer(query, add_special_tokens=False)["input_ids"])
    ids = loaded.tokenizer(whole, add_special_tokens=False)["input_ids"][:ANCHOR_TOKENS]
    before = loaded.tokenizer(plain_text(demonstration)[1])["input_ids"] if demonstration else []
    before = before[: WINDOW - longest]
    with torch.no_grad():
        logits = loaded.model(torch.tensor([before + ids])).logits[0]
    log_probabilities = torch.log_softmax(logits, dim=-1)
    start = len(before)
    picked = [float(log_probabilities[start + p - 1, ids[p]]) for p in range(n_query, len(ids))]
    return sum(picked), len(picked)


def test_a_sample_of_pairs_equals_the_plain_reference(done: dict[str, Any], raw: dict[str, np.ndarray]) -> None:
    loaded = load_model(done["model"][1], dtype="float32", device="cpu", threads=1)
    lengths = [len(loaded.tokenizer(plain_text(row)[1])["input_ids"]) - 1 for row in done["anchors"]]
    longest = min(ANCHOR_TOKENS, max(lengths))
    rng = np.random.default_rng(0)
    n_cut = 0
    for candidate in [*rng.choice(N_SPREAD, 6, replace=False), N_SPREAD, N_CANDIDATES - 1]:
        row = done["pool"][candidate]
        n_cut += len(loaded.tokenizer(plain_text(row)[1])["input_ids"]) > WINDOW - longest
        for anchor in rng.choice(N_ANCHORS, 5, replace=False):
            one, n_tokens = plain_pair(loaded, row, done["anchors"][anchor], longest)
            zero, _ = plain_pair(loaded, None, done["anchors"][anchor], longest)
            assert n_tokens == raw["n_tokens"][anchor]
            assert abs(one - raw["one_shot"][candidate, anchor]) <= 1e-4 * max(n_tokens, 1)
            assert abs(zero - raw["zero_shot"][anchor]) <= 1e-4 * max(n_tokens, 1)
    assert 2 <= n_cut < 8  # the sample has whole and cut demonstrations


def test_anchors_are_scored_on_what_the_cut_leaves(done: dict[str, Any], raw: dict[str, np.ndarray]) -> None:
    loaded = load_model(done["model"][1], dtype="float32", device="cpu", threads=1)
    n_cut = 0
    for row, n_tokens, zero, one in zip(done["anchors"], raw["n_tokens"], raw["zero_shot"], raw["one_shot"].T):
        query, whole = (loaded.tokenizer(text, add_special_tokens=False)["input_ids"] for text in plain_text(row))
        assert n_tokens == max(0, min(len(whole), ANCHOR_TOKENS) - len(query))
        if n_tokens == 0:
            assert zero == 0
            assert (one == 0).all()
        n_cut += len(whole) > ANCHOR_TOKENS
    assert n_cut > N_ANCHORS // 4  # this tokenizer splits words into many pieces


def test_an_anchor_helps_itself_more_than_others_do(done: dict[str, Any]) -> None:
    loaded = load_model(done["model"][1], dtype="float32", device="cpu", threads=1)
    anchors = done["anchors"][:12]
    scorer = GoldenScorer(loaded, anchors, score_settings(too_long="truncate", batch_tokens=2048))
    sums = np.stack([scorer.one_shot(scorer.encode(row).ids) for row in anchors])
    gains = (sums - scorer.zero_shot) / scorer.n_tokens  # (candidate, anchor) nats per answer token
    by_others = (gains.sum(axis=0) - np.diag(gains)) / (len(anchors) - 1)
    assert (np.diag(gains) > by_others).mean() >= 0.75
    assert np.diag(gains).mean() > 0 > by_others.mean()


def test_baselines_and_subsets_run_on_the_same_rows(done: dict[str, Any]) -> None:
    folder = done["folder"]
    pool = ["--pool", str(folder / "pool.jsonl")]
    settings = {"prompt": PROMPT, "batch_tokens": 4096}
    score_difficulty.main(
        [*pool, *done["model"], "--settings", json.dumps(settings), "--difficulty-out", str(folder / "difficulty.csv")]
    )
    embed = {**settings, "pooling": "mean", "max_tokens": WINDOW}
    out = folder / "embeddings.safetensors"
    embed_prompts.main([*pool, *done["model"], "--settings", json.dumps(embed), "--embeddings-out", str(out)])
    select_anchors.main(
        [*pool, "--embeddings", str(out), "--anchor-set", '{"by": "kmeans", "n": 10}', "--seed", "0", "--threads", "1"]
        + ["--anchors-out", str(folder / "kmeans_10.jsonl")]
    )
    assert len({row["id"] for row in read_jsonl(folder / "kmeans_10.jsonl")}) == 10
    rows = read_csv(folder / "difficulty.csv")
    assert len(rows) == N_CANDIDATES
    assert all(float(row["perplexity"]) > 1 and float(row["ifd"]) > 0 for row in rows if row["perplexity"])
    assert sum(row["perplexity"] == "" for row in rows) < N_CANDIDATES // 2
    given = ["--scores", "scores.csv", "--difficulty", "difficulty.csv", "--embeddings", "embeddings.safetensors"]
    flags = [text if text.startswith("--") else str(folder / text) for text in given]
    median = sorted(float(row["golden_score"]) for row in read_csv(folder / "scores.csv"))[N_CANDIDATES // 2]
    sizes = {}
    for name, method in {
        "above": {"by": "golden_score", "above": median},
        "rest": {"by": "golden_score", "at_most": median},
        "top": {"by": "golden_score", "order": "highest"},
        "length": {"by": "length", "order": "highest"},
        "k_center": {"by": "k_center"},
    }.items():
        select_subset.main(
            [*pool, *flags, "--name", name, "--method", json.dumps(method), "--size-fraction", "0.2", "--seeds", "42"]
            + ["--subsets-out", str(folder / name)]
        )
        sizes[name] = len(read_jsonl(folder / name / "seed_42.jsonl"))
    assert sizes["above"] + sizes["rest"] == N_CANDIDATES
    assert sizes["top"] == sizes["length"] == sizes["k_center"] == 4  # the whole rows in 0.2 of 24


def test_the_released_scores_are_those_of_the_paper_s_low_score_subset(shared: Path, tmp_path: Path) -> None:
    settings = json.dumps({**READ, "reader": "json", "schema": "scored", "limit": None, "seed": 0})
    raw = shared / "data" / "alpaca_gpt4" / "alpaca_gpt4_bad.json.gz"
    prepare_examples.main(["--raw", str(raw), "--settings", settings, "--examples-out", str(tmp_path / "scores.jsonl")])
    about = ["--dataset", "bad", "--model", "llama_7b", "--anchors", "kmeans_100", "--seed", "0"]
    count_scores.main(
        ["--released", str(tmp_path / "scores.jsonl"), *about, "--thresholds", "0.4", "0.5"]
        + ["--measured-out", str(tmp_path / "measured.csv")]
    )
    found = {row["method"]: float(row["value"]) for row in read_csv(tmp_path / "measured.csv")}
    assert found["le_0.5"] == 9038
    assert found["le_0.4"] < 9038
    assert (found["lowest"], found["highest"]) == (0.06, 0.5)
    assert found["mean"] == pytest.approx(0.387, abs=5e-4)
