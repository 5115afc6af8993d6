"""Rows that are scored side by side: the same bits with any number of threads, everything put back afterwards."""

from __future__ import annotations

import threading
from typing import Any, Iterator

import numpy as np
import pytest
import torch

from scripts.lm.score import Scorer
from scripts.lm.side_by_side import one_thread_each, work_off
from tests.unit.test_lm_score import draw, make

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def threads_put_back() -> Iterator[None]:
    """Leave torch as it was."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", ["gpt2", "llama"])
@pytest.mark.parametrize("n_prefix", [5, 700])
def test_numbers_do_not_depend_on_the_number_of_threads(name: str, n_prefix: int) -> None:
    model, items = make(name), draw(3, 40)
    scorer = Scorer(model, batch_tokens=64)
    packed = scorer.pack(items)
    assert len(packed.rows) > 4
    prefix = scorer.prefill([1 + at % 50 for at in range(min(n_prefix, scorer.window - 100))])
    found = {}
    for threads in (1, 2, 5):
        torch.set_num_threads(threads)
        found[threads] = scorer.score(prefix, packed, per_token=True)
        assert torch.get_num_threads() == threads
    for threads in (2, 5):
        np.testing.assert_array_equal(found[threads].logprob_sums, found[1].logprob_sums)
        for one, other in zip(found[threads].token_logprobs, found[1].token_logprobs):
            np.testing.assert_array_equal(one, other)


def test_states_of_queries_with_any_number_of_threads() -> None:
    scorer, queries = Scorer(make("llama"), batch_tokens=32), [list(item.query_ids) for item in draw(5, 30)]
    torch.set_num_threads(1)
    alone = scorer.query_states([1, 2, 3], queries)
    torch.set_num_threads(3)
    torch.testing.assert_close(scorer.query_states([1, 2, 3], queries), alone, rtol=0, atol=0)


def test_work_is_done_by_several_threads_of_one_torch_thread_each() -> None:
    torch.set_num_threads(3)
    seen: dict[int, tuple[int, int, bool]] = {}
    together = threading.Barrier(3, timeout=60)

    def work(item: int) -> None:
        together.wait()  # only three threads at once get past it
        seen[item] = (threading.get_ident(), torch.get_num_threads(), torch.is_grad_enabled())

    with one_thread_each(CPU) as workers:
        assert workers == 3
        work_off(work, range(3), workers)
    assert len({thread for thread, *_ in seen.values()}) == 3
    assert {(count, gradients) for _, count, gradients in seen.values()} == {(1, False)}
    assert torch.get_num_threads() == 3
    with one_thread_each(torch.device("meta")) as workers:
        assert workers == 1
        assert torch.get_num_threads() == 3


def test_an_error_in_a_row_is_raised_and_all_is_put_back() -> None:
    torch.set_num_threads(2)

    def work(item: int) -> None:
        raise ValueError(f"row {item}")

    with pytest.raises(ValueError, match="row 0"), one_thread_each(CPU) as workers:
        work_off(work, range(4), workers)
    assert torch.get_num_threads() == 2


def test_a_damaged_model_is_reported_from_a_thread(monkeypatch: Any) -> None:
    model = make("llama")
    scorer = Scorer(model, batch_tokens=32)
    torch.set_num_threads(2)
    usual = model.config._attn_implementation

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("broken row")

    monkeypatch.setattr(scorer, "_row_states", broken)
    with pytest.raises(RuntimeError, match="broken row"):
        scorer.score([1, 2, 3], draw(1, 20))
    assert model.config._attn_implementation == usual
