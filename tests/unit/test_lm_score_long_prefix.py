"""Long prefixes, short continuations: these look at the prefix and at themselves apart; only the speed changes."""

from __future__ import annotations

import random

import numpy as np
import pytest

from scripts.lm import attention
from scripts.lm.packing import Continuation
from scripts.lm.score import Scorer
from tests.unit.lm_tiny import N_WORDS, tiny


def ids(n: int, rng: random.Random) -> tuple[int, ...]:
    return tuple(3 + rng.randrange(N_WORDS) for _ in range(n))


@pytest.mark.parametrize("kind", ["llama", "gpt2", "opt"])
@pytest.mark.parametrize("block", [1, 1 << 22])
def test_apart_equals_together(monkeypatch, kind, block):
    loaded, rng = tiny(kind), random.Random(1)
    scorer = Scorer(loaded.model, batch_tokens=48)
    prefix = ids(20, rng)
    pairs = [Continuation(ids(n, rng), ids(m, rng)) for n, m in ((3, 1), (3, 2), (4, 1), (2, 3), (6, 2), (3, 1))]
    queries = [ids(n, rng) for n in (3, 3, 4, 2)]
    monkeypatch.setattr(attention, "SHORT_PREFIX", 99)
    together = scorer.score(prefix, pairs), scorer.tokens_after(scorer.query_states(prefix, queries), [5, 9])
    calls = []
    apart = attention._attend_apart
    monkeypatch.setattr(attention, "_attend_apart", lambda *given: calls.append(1) or apart(*given))
    monkeypatch.setattr(attention, "SHORT_PREFIX", 1)
    monkeypatch.setattr(attention, "SCORE_BLOCK", block)
    found = scorer.score(prefix, pairs), scorer.tokens_after(scorer.query_states(prefix, queries), [5, 9])
    assert calls
    np.testing.assert_allclose(found[0].logprob_sums, together[0].logprob_sums, rtol=0, atol=1e-4)
    np.testing.assert_array_equal(found[1][0], together[1][0])
    np.testing.assert_allclose(found[1][1], together[1][1], rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("n_prefix", "n_own", "expected"), [(36, 6, True), (20, 6, False), (36, 18, False), (45, 18, True)]
)
def test_short_continuations_look_apart_from_fewer_prefix_tokens_on(monkeypatch, n_prefix, n_own, expected):
    loaded, rng, calls = tiny("llama"), random.Random(3), []
    apart = attention._attend_apart
    monkeypatch.setattr(attention, "_attend_apart", lambda *given: calls.append(1) or apart(*given))
    monkeypatch.setattr(attention, "LONG_PREFIX", 45)
    Scorer(loaded.model, batch_tokens=200).score(
        ids(n_prefix, rng), [Continuation(ids(n_own, rng), ids(1, rng)) for _ in range(3)]
    )
    assert bool(calls) == expected


def test_next_tokens_are_those_of_the_plain_model():
    import torch

    loaded, rng = tiny("llama"), random.Random(2)
    prefix, queries = ids(9, rng), [ids(n, rng) for n in (2, 5, 3)]
    scorer = Scorer(loaded.model, batch_tokens=8)
    best, found = scorer.tokens_after(scorer.query_states(prefix, queries), [4, 7])
    for row, query in enumerate(queries):
        with torch.no_grad():
            logits = loaded.model(torch.tensor([[*prefix, *query]])).logits[0, -1].double().log_softmax(-1)
        assert best[row] == int(logits.argmax())
        np.testing.assert_allclose(found[row], logits[[4, 7]].numpy(), rtol=0, atol=1e-4)
