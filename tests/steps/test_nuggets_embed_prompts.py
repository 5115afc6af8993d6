"""Embedding a pool: the whole scoring text through the shared embedder, with the ids of its rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from scripts.common.errors import UserError
from scripts.common.files import write_jsonl
from scripts.common.tensors import read_embeddings, read_tensors
from scripts.nuggets.embed_prompts import main
from tests.unit.nuggets_tiny import PROMPT, instruction_rows, plain_text, save, tiny

POOL = instruction_rows(9, seed=4)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tiny(), tmp_path_factory.mktemp("model"))


def embed(folder: Path, model: Path, name: str = "embeddings", **changes: object) -> Path:
    write_jsonl(folder / "pool.jsonl", POOL)
    settings = {"prompt": PROMPT, "pooling": "mean", "max_tokens": 64, "batch_tokens": 128, **changes}
    out = folder / f"{name}.safetensors"
    main(
        ["--pool", str(folder / "pool.jsonl"), "--model", str(model), "--dtype", "float32", "--device", "cpu"]
        + ["--threads", "1", "--settings", json.dumps(settings), "--embeddings-out", str(out)]
    )
    return out


def test_rows_are_mean_states_of_the_whole_text(tmp_path: Path, model: Path) -> None:
    out = embed(tmp_path, model)
    embeddings = read_embeddings(out, [row["id"] for row in POOL], "pool")
    assert embeddings.dtype == np.float32
    loaded = tiny()
    for row, ours in zip(POOL, embeddings):
        ids = loaded.tokenizer(plain_text(row)[1])["input_ids"]
        with torch.no_grad():
            states = loaded.model.model(torch.tensor([ids])).last_hidden_state[0]
        np.testing.assert_allclose(ours, states.mean(dim=0).numpy(), atol=1e-5)


def test_pooling_changes_the_vectors_and_batches_do_not(tmp_path: Path, model: Path) -> None:
    mean, padded, batched = (
        read_tensors(embed(tmp_path, model, name, **changes), "embeddings")[0]["embeddings"]
        for name, changes in (("a", {}), ("b", {"pooling": "mean_with_padding"}), ("c", {"batch_tokens": 20}))
    )
    assert np.abs(mean - padded).max() > 0.01
    np.testing.assert_allclose(mean, batched, atol=1e-5)


def test_same_input_same_bytes(tmp_path: Path, model: Path) -> None:
    assert embed(tmp_path, model, "a").read_bytes() == embed(tmp_path, model, "b").read_bytes()


def test_embeddings_of_another_pool_are_refused(tmp_path: Path, model: Path) -> None:
    out = embed(tmp_path, model)
    with pytest.raises(UserError, match=r"its ids are not those of other.jsonl; embed that file again"):
        read_embeddings(out, ["x"], "other.jsonl")


def test_unknown_pooling_is_refused(tmp_path: Path, model: Path) -> None:
    with pytest.raises(UserError, match="pooling"):
        embed(tmp_path, model, pooling="means")
    assert not (tmp_path / "embeddings.safetensors").exists()
