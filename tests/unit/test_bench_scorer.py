"""The benchmark's parts on a tiny model: references that score alike, sizes, ratios, and refusals."""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from scripts.bench import delift_kernel, memory, peak, scorer, step_by_step_training
from scripts.bench.references import CTranslate2, Floor, LmEval, Released, fastest, worst_difference
from scripts.bench.results import BESIDE_TURNS, reference_entry, take_turns
from scripts.bench.workload import ANCHOR_TOKENS, PREFIX_TOKENS, Workload, make_pairs, synthetic_examples, workloads
from scripts.common.errors import UserError
from scripts.lm.score import Continuation, Scorer


@pytest.fixture
def work() -> Workload:
    """Five pairs, one with an empty answer, before a tiny random GPT-2."""
    torch.manual_seed(0)
    config = GPT2Config(n_layer=2, n_embd=16, n_head=2, vocab_size=50, n_positions=300, bos_token_id=0, eos_token_id=0)
    draw = np.random.default_rng(0)
    pairs = [
        Continuation(tuple(draw.integers(50, size=q)), tuple(draw.integers(50, size=a)))
        for q, a in ((3, 4), (10, 150), (7, 1), (20, 0), (5, 30))
    ]
    return Workload("tiny", "made up", GPT2LMHeadModel(config).eval(), None, tuple(range(12)), tuple(pairs))


@pytest.mark.parametrize("batch", [1, 2, 8])
def test_released_scheme_scores_as_we_do(work: Workload, batch: int) -> None:
    ours = Scorer(work.model).score(work.prefix_ids, work.pairs)
    assert worst_difference(ours.logprob_sums, Released(work).run(batch), ours.n_tokens) < scorer.TOLERANCE


def test_lm_eval_scores_as_we_do(shared: Path) -> None:
    pytest.importorskip("lm_eval", reason="lm_eval lives in the environment of envs/bench.yaml")
    small = workloads(shared)[1]
    ours = Scorer(small.model).score(small.prefix_ids, small.pairs)
    assert worst_difference(ours.logprob_sums, LmEval(small).run(16), ours.n_tokens) < scorer.TOLERANCE


def test_ctranslate2_scores_as_we_do(work: Workload) -> None:
    pytest.importorskip("ctranslate2", reason="ctranslate2 lives in the environment of envs/bench.yaml")
    ours = Scorer(work.model).score(work.prefix_ids, work.pairs)
    theirs = CTranslate2(work, "float32", 1).run(4)
    assert worst_difference(ours.logprob_sums, theirs, ours.n_tokens) < scorer.TOLERANCE


def test_lm_eval_is_asked_for_where_it_is_missing(work: Workload, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "lm_eval", None)
    monkeypatch.setitem(__import__("sys").modules, "lm_eval.models.huggingface", None)
    with pytest.raises(UserError, match=r"lm_eval is not installed; run this in the environment of envs/bench\.yaml"):
        LmEval(work)


@pytest.mark.parametrize("tile", [(4, 7), (100, None), (3, 50)])
def test_floor_multiplies_every_position_with_every_word(
    work: Workload, tile: tuple[int, int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    floor = Floor(work, 10)
    done = []
    product = torch.mm

    def count(a: torch.Tensor, b: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
        done.append(a.shape[0] * b.shape[1])
        return product(a, b, out=out)

    monkeypatch.setattr(torch, "mm", count)
    floor.run(tile)
    assert sum(done) == 10 * 50


def test_worst_difference_counts_per_answer_token() -> None:
    assert worst_difference(np.array([-4.0, -1.0]), np.array([-4.4, -1.1]), [4, 0]) == pytest.approx(0.1)


def test_fastest_stops_once_it_gets_slower(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.bench.references.seconds", lambda task: task())
    times = {1: 5.0, 2: 3.0, 4: 4.0, 8: 4.5, 16: 1.0}
    assert fastest({size: partial(float, value) for size, value in times.items()}) == 2
    assert fastest({size: partial(float, value) for size, value in times.items()}, patience=9) == 16


def test_pairs_are_cut_as_the_released_code_does() -> None:
    examples = synthetic_examples(30, 3)
    prefix, pairs = make_pairs(examples, examples, lambda text: list(text.encode()))
    assert len(prefix) == PREFIX_TOKENS
    assert max(len(pair.query_ids) + len(pair.answer_ids) for pair in pairs) == ANCHOR_TOKENS
    with pytest.raises(UserError, match="no example of the pool has 120 tokens"):
        make_pairs(examples, examples[:0], lambda text: list(text.encode()))


def test_real_sizes(shared: Path) -> None:
    big, small = workloads(shared)
    assert big.sizes["pairs"] == small.sizes["pairs"] == 100
    assert big.sizes["prefix_tokens"] == 120
    assert 12_000 < big.sizes["tokens"] < 14_000
    assert 10_000 < big.sizes["answer_tokens"] < 11_000
    assert max(max(pair.answer_ids) for pair in big.pairs) > 40_000  # the whole vocabulary takes part
    assert "real anchors" in big.sizes["source"]


def test_synthetic_workloads_say_so() -> None:
    big, small = workloads(None)
    assert "synthetic" in big.sizes["source"]
    assert "synthetic" in small.sizes["source"]
    assert small.name == "stories260k_shape"
    assert len(big.pairs) == 100


def test_the_made_up_pairs_fit_the_released_scheme() -> None:
    """Read letter by letter, some made-up questions alone are longer than the released code's 200 tokens."""
    for work in workloads(None):
        assert Released(work).ids.shape == (len(work.pairs), ANCHOR_TOKENS)
        assert len(work.pairs) > 90
        assert all(pair.answer_ids for pair in work.pairs)


def test_ratios_are_medians_of_turns() -> None:
    times = {"ours": [1.0, 2.0, 3.0], "released": [4.0, 4.0, 30.0], "floor": [0.5, 2.0, 2.0]}
    entry = reference_entry(times, "released", 100, 1e-7, best_batch=8)
    assert (entry["ratio"], entry["value"], entry["max_abs_diff"]) == (4.0, 25.0, 1e-7)
    assert reference_entry(times, "floor", 100, None)["ratio"] == 1.5
    stacked = reference_entry(times, "released", 100, None, own_count=200)
    assert (stacked["ratio"], stacked["value"]) == (8.0, 25.0)


def test_turns_that_warm_up_do_not_count() -> None:
    ran: list[str] = []
    times = take_turns({name: partial(ran.append, name) for name in "ab"}, 2, warm_up=1)
    assert ran == list("ab" * (1 + 2 + BESIDE_TURNS))
    assert {name: len(own) for name, own in times.items()} == {"a": 2, "b": 2}
    assert {name: len(own) for name, own in times.beside.items()} == {"a": BESIDE_TURNS, "b": BESIDE_TURNS}
    assert take_turns({"a": 3.0}, 2, clock=lambda task: task) == {"a": [3.0, 3.0]}


def test_how_much_longer_beside_a_neighbour_that_is_busy() -> None:
    seen: list[float] = []

    def burn() -> None:
        """Note how much the children of this process are computing."""
        begin = sum(child.cpu_times().user for child in psutil.Process().children())
        time.sleep(0.3)
        seen.append(sum(child.cpu_times().user for child in psutil.Process().children()) - begin)

    before = psutil.Process().children()
    times = take_turns({"ours": burn, "other": lambda: None}, 1)
    assert seen[0] == pytest.approx(0.0, abs=0.05)
    assert min(seen[1:]) > 0.01, "nobody was busy"
    assert psutil.Process().children() == before
    times["ours"], times["other"], times.beside["ours"], times.beside["other"] = [2.0], [1.0], [3.0, 5.0], [1.0, 1.0]
    assert reference_entry(times, "other", 1, None)["longer_beside_neighbour"] == {"ours": 2.0, "other": 1.0}


def test_real_data_are_read_only_where_they_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for step in (scorer, delift_kernel, step_by_step_training):
        monkeypatch.delenv("THRIFT_SHARED", raising=False)
        assert step.parse_args(["--metrics-out", "x.json"]).shared is None
        monkeypatch.setenv("THRIFT_SHARED", "there")
        assert step.parse_args(["--metrics-out", "x.json"]).shared == Path("there")
    assert "random words" in step_by_step_training.read_rows(None, 2)[1]


def test_measure_gives_the_common_keys(work: Workload, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stand:  # lm_eval and ctranslate2 are not in this environment
        def __init__(self, work: Workload, *_: object) -> None:
            self.work = work

        def run(self, batch: int) -> np.ndarray:
            return Released(self.work).run(batch)

    for name in ("LmEval", "CTranslate2"):
        monkeypatch.setattr(f"scripts.bench.references.{name}", Stand)
    result = scorer.measure(work, threads=1, repeats=2, batch_tokens=64)
    keys = {"name", "ours", "references", "unit", "model", "sizes", "threads", "dtype", "machine", "date"}
    assert keys <= set(result)
    assert {"released", "lm_eval", "ctranslate2", "ctranslate2_int8", "floor"} <= set(result["references"])
    assert set(result["references"]["released"]["longer_beside_neighbour"]) == {"ours", "released"}
    assert result["sizes"]["answer_tokens"] == 185
    scorer.check_equality(result)
    assert "released" in "\n".join(scorer.table(json.loads(json.dumps(result))))
    result["references"]["released"]["max_abs_diff"] = float("nan")
    with pytest.raises(UserError, match="tiny: released differs by nan"):
        scorer.check_equality(result)
    result["references"] = {"ctranslate2_int8": {"max_abs_diff": 0.2}}
    scorer.check_equality(result)  # eight bits are no fault


def test_memory_process_reports_its_peak() -> None:
    assert 50 < peak.peak_mib(2) < 5000


def test_scores_of_the_memory_stream_are_real() -> None:
    mean: Any = memory.score_stream(3)
    assert -8 * np.log(memory.WORDS) * 1.2 < mean < 0
