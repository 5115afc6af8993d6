"""Perplexity, IFD and length against plain forward passes; empty answers and long queries have no perplexity."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

from scripts.common.errors import UserError
from scripts.common.files import read_csv, write_jsonl
from scripts.lm.load import LoadedModel
from scripts.nuggets.score_difficulty import main
from tests.unit.nuggets_tiny import BOS, PROMPT, instruction_rows, plain_text, save, tiny

EOS = 3
POOL = instruction_rows(6, seed=6)


def difficulty(folder: Path, loaded: LoadedModel, pool: list[dict[str, str]], batch: int = 64) -> list[dict[str, str]]:
    model = save(loaded, folder / "model")
    write_jsonl(folder / "pool.jsonl", pool)
    out = folder / "difficulty.csv"
    main(
        ["--pool", str(folder / "pool.jsonl"), "--model", str(model), "--dtype", "float32", "--device", "cpu"]
        + ["--threads", "1", "--settings", json.dumps({"prompt": PROMPT, "batch_tokens": batch})]
        + ["--difficulty-out", str(out)]
    )
    return read_csv(out)


def mean_loss(loaded: LoadedModel, context: list[int], answer: list[int]) -> float:
    """Mean negative log-probability of the answer's tokens, by one plain forward pass."""
    with torch.no_grad():
        logits = loaded.model(torch.tensor([context + answer])).logits[0].double()
    losses = torch.nn.functional.cross_entropy(logits[len(context) - 1 : -1], torch.tensor(answer), reduction="none")
    return float(losses.mean())


@pytest.mark.parametrize("bos", [True, False])
def test_equals_plain_forward_passes(tmp_path: Path, bos: bool) -> None:
    loaded = tiny(bos=bos)
    for row, ours in zip(POOL, difficulty(tmp_path, loaded, POOL)):
        query, _ = plain_text(row)
        context = loaded.tokenizer(query)["input_ids"]
        answer = loaded.tokenizer(row["output"], add_special_tokens=False)["input_ids"]
        given = mean_loss(loaded, context, answer)
        alone = mean_loss(loaded, [BOS] if bos else [EOS], answer)
        assert float(ours["perplexity"]) == pytest.approx(math.exp(given), rel=1e-4)
        assert float(ours["ifd"]) == pytest.approx(math.exp(given) / math.exp(alone), rel=1e-4)
        assert int(ours["length"]) == len(row["output"])


def test_rows_without_a_scored_answer_have_empty_cells(tmp_path: Path) -> None:
    pool = [
        POOL[0],
        {**POOL[1], "output": "  "},
        {**POOL[2], "instruction": "w1 " * 130},  # fills the window of 128
        POOL[3],
    ]
    rows = difficulty(tmp_path, tiny(), pool)
    assert [row["id"] for row in rows] == [row["id"] for row in pool]
    assert [row["perplexity"] == "" for row in rows] == [False, True, True, False]
    assert [row["ifd"] == "" for row in rows] == [False, True, True, False]
    assert rows[1]["length"] == "0"
    usual = difficulty(tmp_path, tiny(), POOL)
    assert float(rows[3]["perplexity"]) == pytest.approx(float(usual[3]["perplexity"]), rel=1e-5)


def test_answers_are_cut_at_the_window(tmp_path: Path) -> None:
    loaded = tiny()
    long = {**POOL[0], "output": "w1 w2 " * 100}
    (ours,) = difficulty(tmp_path, loaded, [long])
    context = loaded.tokenizer(plain_text(long)[0])["input_ids"]
    answer = loaded.tokenizer(long["output"], add_special_tokens=False)["input_ids"][: 128 - len(context)]
    assert float(ours["perplexity"]) == pytest.approx(math.exp(mean_loss(loaded, context, answer)), rel=1e-4)


def test_an_empty_pool_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no examples"):
        difficulty(tmp_path, tiny(), [])
