"""The tiled output layer against the whole log-softmax in float64."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.lm.logprob import SAFE_EXPONENT, OutputLayer, log_sum_exp, token_logprobs


def case(seed: int, n: int, words: int, size: float, with_bias: bool) -> tuple[torch.Tensor, ...]:
    """Return hidden states, weight, bias (or None) and targets; `size` scales the logits."""
    draw = torch.Generator().manual_seed(seed)
    hidden = torch.randn(n, 8, generator=draw) * size
    weight = torch.randn(words, 8, generator=draw)
    bias = torch.randn(words, generator=draw) * size if with_bias else None
    return hidden, weight, bias, torch.randint(words, (n,), generator=draw)


def expected(
    hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, targets: torch.Tensor
) -> torch.Tensor:
    logits = hidden.double() @ weight.double().t()
    logits = logits if bias is None else logits + bias.double()
    return torch.log_softmax(logits, dim=1)[torch.arange(len(targets)), targets]


@given(
    seed=st.integers(0, 1000),
    n=st.integers(1, 20),
    words=st.integers(1, 40),
    size=st.sampled_from([0.01, 1.0, 30.0]),
    with_bias=st.booleans(),
    tile=st.tuples(st.integers(1, 25), st.integers(1, 45)),
)
@settings(max_examples=60, deadline=None)
def test_any_tile_gives_the_log_softmax(
    seed: int, n: int, words: int, size: float, with_bias: bool, tile: tuple
) -> None:
    hidden, weight, bias, targets = case(seed, n, words, size, with_bias)
    found = token_logprobs(hidden, targets, OutputLayer.of(weight, bias), tile)
    wanted = expected(hidden, weight, bias, targets)
    torch.testing.assert_close(found.double(), wanted, rtol=2e-6, atol=3e-6 * max(1.0, size))


def test_both_ways_of_summing_are_used_and_agree() -> None:
    hidden, weight, _, targets = case(1, 5, 30, 1.0, False)
    layer = OutputLayer.of(weight)
    loose = OutputLayer(weight, None, max_norm=10 * SAFE_EXPONENT, max_bias=0.0)  # no useful bound: running maximum
    torch.testing.assert_close(
        token_logprobs(hidden, targets, layer, (5, 7)), token_logprobs(hidden, targets, loose, (5, 7))
    )


def test_huge_logits_neither_overflow_nor_vanish() -> None:
    weight = torch.tensor([[1.0], [-1.0], [0.999]])
    hidden = torch.tensor([[3e4], [-3e4]])
    found = log_sum_exp(hidden, OutputLayer.of(weight), 1)
    torch.testing.assert_close(found, torch.tensor([3e4, 3e4]))


def test_scale_multiplies_the_hidden_states() -> None:
    hidden, weight, bias, targets = case(2, 4, 9, 1.0, True)
    found = token_logprobs(hidden, targets, OutputLayer.of(weight, bias, scale=0.25))
    torch.testing.assert_close(found.double(), expected(hidden * 0.25, weight, bias, targets), atol=1e-5, rtol=1e-5)


def test_no_positions() -> None:
    hidden, weight, bias, targets = case(3, 4, 9, 1.0, True)
    assert token_logprobs(hidden[:0], targets[:0], OutputLayer.of(weight, bias)).shape == (0,)


@pytest.mark.parametrize("with_bias", [False, True])
def test_half_precision_sums_in_float32(with_bias: bool) -> None:
    hidden, weight, bias, targets = case(4, 6, 50, 1.0, with_bias)
    low = [None if part is None else part.to(torch.bfloat16) for part in (hidden, weight, bias)]
    found = token_logprobs(low[0], targets, OutputLayer.of(low[1], low[2]))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected(*low, targets), atol=0.05, rtol=0.01)
