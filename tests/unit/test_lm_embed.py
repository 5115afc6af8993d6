"""Embedding: equal to the plain computation one text at a time, whatever the batch; pooling by hand; faults."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from scripts.common.errors import UserError
from scripts.lm.embed import embed
from tests.unit.lm_tiny import PAD, tiny, words

KINDS = ["llama", "gpt2", "opt", "t5", "bert"]
LIMIT = 24


def texts(n: int = 11) -> list[str]:
    """Texts of 1 to 30 words: some are cut at LIMIT."""
    rng = random.Random(7)
    return [words(rng.randint(1, 30), rng) for _ in range(n)]


def states(loaded, ids, mask) -> np.ndarray:
    """Last hidden states of one row, from the model's own list of hidden states."""
    body = loaded.model.get_encoder() if loaded.family == "encoder_decoder" else loaded.model
    with torch.no_grad():
        out = body(input_ids=torch.tensor([ids]), attention_mask=torch.tensor([mask]), output_hidden_states=True)
    return out.hidden_states[-1][0].double().numpy()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_tokens", [1, 60, 10_000])
def test_mean_and_first_equal_the_plain_computation(kind, batch_tokens):
    loaded = tiny(kind)
    mean = embed(loaded, texts(), pooling="mean", max_tokens=LIMIT, batch_tokens=batch_tokens)
    first = embed(loaded, texts(), pooling="first", max_tokens=LIMIT, batch_tokens=batch_tokens)
    assert mean.dtype == first.dtype == np.float32
    assert mean.shape == first.shape == (11, 32)
    for row, text in enumerate(texts()):
        ids = loaded.tokenizer(text)["input_ids"][:LIMIT]
        plain = states(loaded, ids, [1] * len(ids))
        np.testing.assert_allclose(mean[row], plain.mean(axis=0), atol=2e-5)
        np.testing.assert_allclose(first[row], plain[0], atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_mean_with_padding_equals_the_padded_plain_computation(kind):
    loaded = tiny(kind)
    vectors = embed(loaded, texts(), pooling="mean_with_padding", max_tokens=LIMIT, batch_tokens=100)
    for row, text in enumerate(texts()):
        ids = loaded.tokenizer(text)["input_ids"][:LIMIT]
        filler = LIMIT - len(ids)
        plain = states(loaded, [*ids, *[PAD] * filler], [1] * len(ids) + [0] * filler)
        np.testing.assert_allclose(vectors[row], plain.mean(axis=0), atol=2e-5)
    own = embed(loaded, texts(), pooling="mean", max_tokens=LIMIT, batch_tokens=100)
    shortest = min(range(11), key=lambda i: len(texts()[i].split()))
    assert np.abs(own[shortest] - vectors[shortest]).max() > 0.01


def test_a_text_alone_equals_itself_among_others():
    loaded = tiny()
    together = embed(loaded, texts(), pooling="mean", max_tokens=LIMIT, batch_tokens=10_000)
    backwards = embed(loaded, texts()[::-1], pooling="mean", max_tokens=LIMIT, batch_tokens=70)
    np.testing.assert_allclose(backwards[::-1], together, atol=2e-6)


def test_no_texts():
    assert embed(tiny(), [], pooling="mean", max_tokens=8, batch_tokens=8).shape == (0, 32)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"pooling": "maen"}, r"pooling: 'maen' is not one of .* \(did you mean 'mean'\?\)"),
        ({"max_tokens": 65}, "max_tokens: 65 exceeds the model's window of 64"),
        ({"batch_tokens": 0}, "batch_tokens"),
        ({"texts": ["w1", " "]}, "text 1: it has no tokens"),
    ],
)
def test_faults(change, message):
    arguments = {"texts": ["w1"], "pooling": "mean", "max_tokens": 8, "batch_tokens": 8, **change}
    with pytest.raises(UserError, match=message):
        embed(tiny(), **arguments)


def test_broken_weights_are_noticed():
    loaded = tiny()
    with torch.no_grad():
        loaded.model.model.norm.weight[0] = float("nan")
    with pytest.raises(UserError, match="not finite"):
        embed(loaded, ["w1"], pooling="mean", max_tokens=8, batch_tokens=8)
