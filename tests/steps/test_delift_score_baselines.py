"""Baselines that ask the model: ratings, gradients against plain ones, the table, one clear line for each bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from scripts.common.errors import UserError
from scripts.common.files import read_csv, read_json, write_jsonl
from scripts.common.step_parser import checked
from scripts.delift import score_baselines
from scripts.lm.gradients import adam_step, warmup_gradients
from scripts.lm.prompts import Prompt
from scripts.lm.ratings import rating_ids, rating_probabilities
from scripts.lm.warmup_settings import WarmupSettings
from tests.unit import lm_tiny
from tests.unit.nuggets_tiny import PROMPT, instruction_rows, save, tiny

POOL = instruction_rows(8, seed=1)
VALIDATION = instruction_rows(3, seed=2, prefix="valid")
SELECTIT = {
    "rating_prompts": ["w1 w2", "w3 w4", "w5"],
    "template": "Instruction:\n{rating_prompt}\nInput:\n{prompt}{response}\nResponse:\n",
    "ratings": ["w1", "w2", "w3", "w4", "w5"],
    "alpha": 0.2,
    "released": False,
}
LESS = {
    "dimension": 64,
    "warmup_fraction": 0.5,
    "epochs": 2,
    "learning_rate": 1e-3,
    "batch_size": 2,
    "lora_rank": 2,
    "lora_alpha": 4,
    "lora_dropout": 0.1,
    "max_tokens": 64,
}
USUAL = {"prompt": PROMPT, "selectit": SELECTIT, "less": LESS, "ifd": True, "seed": 0, "batch_tokens": 128}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    save(tiny(), folder / "model")
    write_jsonl(folder / "pool.jsonl", POOL)
    write_jsonl(folder / "validation.jsonl", VALIDATION)
    return folder


def score(files: Path, out: Path, **changes: Any) -> list[dict[str, str]]:
    score_baselines.main(
        ["--pool", str(files / "pool.jsonl"), "--validation", str(files / "validation.jsonl")]
        + ["--model", str(files / "model"), "--dtype", "float32", "--device", "cpu", "--threads", "1"]
        + ["--settings", json.dumps({**USUAL, **changes}), "--scores-out", str(out / "scores.csv")]
        + ["--run-out", str(out / "run.json")]
    )
    return read_csv(out / "scores.csv", ("id", "selectit", "less", "ifd"))


def test_the_table_twice_with_the_same_bytes(files, tmp_path):
    rows = score(files, tmp_path)
    first = (tmp_path / "scores.csv").read_bytes()
    assert [row["id"] for row in rows] == [row["id"] for row in POOL]
    for name in ("selectit", "less", "ifd"):
        assert len({row[name] for row in rows}) > 4
        assert all(np.isfinite(float(row[name])) for row in rows)
    assert set(read_json(tmp_path / "run.json")["seconds"]) == {"selectit", "less", "ifd"}
    score(files, tmp_path)
    assert (tmp_path / "scores.csv").read_bytes() == first


def test_baselines_can_be_left_out(files, tmp_path):
    rows = score(files, tmp_path, selectit=None, less=None, ifd=True)
    assert {row["selectit"] for row in rows} == {row["less"] for row in rows} == {""}
    assert all(row["ifd"] for row in rows)
    assert set(read_json(tmp_path / "run.json")["seconds"]) == {"ifd"}


def test_selectit_equals_plain_forward_passes(files, tmp_path):
    rows = score(files, tmp_path, less=None, ifd=False)
    loaded, prompt = tiny(), Prompt.from_config(PROMPT)
    ids = [loaded.tokenizer.convert_tokens_to_ids(word) for word in SELECTIT["ratings"]]
    for row, found in zip(POOL, rows):
        tokens = []
        for request in SELECTIT["rating_prompts"]:
            text = f"Instruction:\n{request}\nInput:\n{prompt.query(row)}{row['output']}\nResponse:\n"
            with torch.inference_mode():
                logits = loaded.model(torch.tensor([loaded.tokenizer(text)["input_ids"]])).logits[0, -1, ids].double()
            chances = torch.softmax(logits, dim=0).numpy()
            best = int(chances.argmax())
            tokens.append((best + 1) * (chances[best] - np.delete(chances, best)).mean())
        assert float(found["selectit"]) == pytest.approx(np.mean(tokens) / (1 + 0.2 * np.std(tokens)), rel=1e-4)


def test_rating_tokens_come_from_the_tokenizer():
    loaded = lm_tiny.tiny("llama")
    assert rating_ids(loaded, ["1", "2"], "w1\n") == [loaded.tokenizer.convert_tokens_to_ids(name) for name in "12"]
    with pytest.raises(UserError, match="no token of its own for '7'"):
        rating_ids(loaded, ["1", "7"], "\n")
    with pytest.raises(UserError, match="no token of its own for '1'"):
        rating_ids(loaded, ["1", "1"], "\n")
    with pytest.raises(UserError, match="'w1 w2' is 2 tokens"):
        rating_ids(loaded, ["w1 w2"], "\n")
    with pytest.raises(UserError, match="causal language model"):
        rating_probabilities(lm_tiny.tiny("bert"), ["w1"], [5, 6], 64)


@pytest.mark.parametrize("kind", ["llama", "granite"])
def test_ratings_are_the_models_own_distribution(kind):
    loaded, texts = lm_tiny.tiny(kind), ["w1 w2 w3", "w4", "w7 w8 w9 w1 w2"]
    for text, found in zip(texts, rating_probabilities(loaded, texts, [5, 6, 7], 64)):
        with torch.no_grad():
            logits = loaded.model(torch.tensor([loaded.tokenizer(text)["input_ids"]])).logits[0, -1, [5, 6, 7]]
        np.testing.assert_allclose(found, torch.softmax(logits.double(), dim=0).numpy(), atol=1e-6)


def test_ratings_do_not_depend_on_the_batch():
    texts = ["w1 w2 w3", "w4", "w5 w6", "w7 w8 w9 w1 w2"]
    found = [rating_probabilities(lm_tiny.tiny("gpt2"), texts, [5, 6, 7], size) for size in (1, 64)]
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)
    np.testing.assert_allclose(found[0].sum(axis=1), 1.0)


def warmup(**changes: Any) -> WarmupSettings:
    usual = {key: value for key, value in LESS.items() if key != "dimension"}
    return checked(WarmupSettings, {**usual, "lora_dropout": 0.0, **changes})


def test_gradients_leave_the_model_as_it_was_and_skip_what_has_nothing_to_learn():
    loaded = lm_tiny.tiny("llama")
    before = {name: weight.clone() for name, weight in loaded.model.state_dict().items()}
    long = (" ".join(["w1"] * 200), "w2")
    pool = [("w1 w2", "w3"), ("w4", "w5 w6"), long]
    (first, last) = warmup_gradients(loaded, pool, [("w1", "w2")], warmup(), 0, lambda n: lambda rows: rows)
    after = loaded.model.state_dict()
    assert set(after) == set(before)
    assert all(torch.equal(after[name], weight) for name, weight in before.items())
    assert all(weight.requires_grad for weight in loaded.model.parameters())
    assert first.rate > last.rate > 0
    assert first.train.shape == (3, first.validation.shape[1])
    assert not first.train[2].any()
    assert first.train[:2].any(axis=1).all()


def test_adam_step_equals_torch():
    weight = torch.nn.Parameter(torch.tensor([1.0, -2.0, 3.0]))
    optimizer = torch.optim.AdamW([weight], lr=0.1, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        weight.grad = torch.randn(3, generator=generator)
        optimizer.step()
    gradient = torch.randn(3, generator=generator)
    (expected,) = adam_step([gradient], [optimizer.state[weight]])
    before = weight.detach().clone()
    weight.grad = gradient
    optimizer.step()
    torch.testing.assert_close(before - 0.1 * expected, weight.detach())


def test_validation_gradients_are_plain_gradients_of_the_adapters():
    """Before the first step the second half of each adapter is 0, and so is the gradient of the first half."""
    loaded = lm_tiny.tiny("llama")
    pairs = [("w1 w2", "w3"), ("w4", "w5 w6"), ("w1 w2", "w3")]
    (found,) = warmup_gradients(
        loaded, pairs, pairs, warmup(epochs=1, learning_rate=1e-12), 0, lambda n: lambda rows: rows
    )
    np.testing.assert_array_equal(found.validation[0], found.validation[2])
    assert np.abs(found.validation[0] - found.validation[1]).max() > 1e-4
    share_of_zeros = (np.abs(found.validation[0]) < 1e-9).mean()
    assert 0.3 < share_of_zeros < 0.7


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"selectit": {**SELECTIT, "ratings": ["one", "two"]}}, "no token of its own for 'one'"),
        ({"selectit": {**SELECTIT, "template": "{prompt}{response}"}}, "no place {rating_prompt}"),
        ({"selectit": {**SELECTIT, "alfa": 1}}, r"selectit.alfa: unknown key \(did you mean 'alpha'"),
        ({"less": {**LESS, "warmup_fraction": 0}}, "warmup_fraction"),
        ({"less": {**LESS, "dimension": 0}}, "dimension"),
        ({"less": {**LESS, "learning_rate": 1e30}}, "learning_rate"),
        ({"ifdd": True}, "did you mean 'ifd'"),
    ],
)
def test_bad_settings(changes, message, files, tmp_path):
    with pytest.raises(UserError, match=message):
        score(files, tmp_path, **changes)
