"""Facility location, mutual information, conditional gain: relations, lazy against naive, brute force, apricot."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.common.errors import UserError
from scripts.selection import facility_location as fl
from scripts.selection.facility_location import (
    Objective,
    conditional_gain,
    facility_location,
    maximise,
    mutual_information,
    new_kernel,
    query_mutual_information,
    value_of,
)

KINDS = ("facility_location", "mutual_information", "conditional_gain", "query_mutual_information")
SEEDS = st.integers(0, 10_000)


def kernel_of(rng: np.random.Generator, n_targets: int, n: int, *, coarse: bool = False) -> np.ndarray:
    """Return a random kernel in [0, 1]; coarse: of a few values only, so that ties abound."""
    values = rng.integers(0, 4, (n_targets, n)) / 3 if coarse else rng.random((n_targets, n))
    return np.asfortranarray(values.astype(np.float32))


def objective_of(kind: str, kernel: np.ndarray, rng: np.random.Generator) -> Objective:
    other = rng.random((len(kernel), 3)).astype(np.float32)
    if kind == "mutual_information":
        return mutual_information(kernel, other, float(rng.choice([0.5, 0.8, 1.0])))
    if kind == "conditional_gain":
        return conditional_gain(kernel, other, float(rng.choice([0.3, 0.7, 1.0])))
    if kind == "query_mutual_information":
        return query_mutual_information(kernel, float(rng.choice([0.0, 0.5, 1.0, 2.0])))
    return facility_location(kernel)


def plain_value(objective: Objective, chosen: list[int]) -> float:
    """Return f(S) written out by its definition, in float64."""
    total = 0.0
    for target in range(len(objective.kernel)):
        best = max((float(objective.kernel[target, j]) for j in chosen), default=0.0)
        if objective.cap is not None:
            best = min(best, float(objective.cap[target]))
        floor = 0.0 if objective.floor is None else float(objective.floor[target])
        total += max(best - floor, 0.0)
    if objective.bonus is not None:
        total += sum(float(objective.bonus[j]) for j in chosen)
    return total


@pytest.mark.parametrize("kind", KINDS)
@given(seed=SEEDS)
@settings(max_examples=25, deadline=None)
def test_monotone_with_diminishing_returns(kind, seed):
    rng = np.random.default_rng(seed)
    objective = objective_of(kind, kernel_of(rng, 6, 8), rng)
    order = rng.permutation(8)
    small, large, extra = order[:2].tolist(), order[:5].tolist(), int(order[5])
    assert value_of(objective, []) == 0.0
    gain_small = value_of(objective, [*small, extra]) - value_of(objective, small)
    gain_large = value_of(objective, [*large, extra]) - value_of(objective, large)
    assert gain_large >= -1e-9
    assert gain_small >= gain_large - 1e-6
    assert value_of(objective, large) == pytest.approx(plain_value(objective, large), abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@given(seed=SEEDS)
@settings(max_examples=10, deadline=None)
def test_greedy_is_near_the_best_subset(kind, seed):
    rng = np.random.default_rng(seed)
    n, budget = int(rng.integers(4, 11)), 3
    objective = objective_of(kind, kernel_of(rng, 5, n), rng)
    found = maximise(objective, budget)
    best = max(value_of(objective, list(subset)) for subset in itertools.combinations(range(n), budget))
    assert found.value == pytest.approx(value_of(objective, found.order), abs=1e-9)
    assert found.value >= (1 - 1 / math.e) * best - 1e-9


@pytest.mark.parametrize("memory", [fl.TURNED_BYTES, 0])
@pytest.mark.parametrize("saturated", ["index", "restart"])
@pytest.mark.parametrize("kind", KINDS)
@given(seed=SEEDS)
@settings(max_examples=15, deadline=None)
def test_lazy_picks_what_naive_picks(kind, saturated, memory, seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 40))
    kernel = kernel_of(rng, int(rng.integers(1, 30)), n, coarse=bool(rng.integers(2)))
    objective = objective_of(kind, kernel, rng)
    budget = int(rng.integers(1, n + 1))
    usual = fl.TURNED_BYTES
    try:
        fl.TURNED_BYTES = memory
        lazy = maximise(objective, budget, optimiser="lazy", saturated=saturated)
    finally:
        fl.TURNED_BYTES = usual
    naive = maximise(objective, budget, optimiser="naive", saturated=saturated)
    np.testing.assert_array_equal(lazy.order, naive.order)
    np.testing.assert_array_equal(lazy.gains, naive.gains)
    assert len(set(lazy.order.tolist())) == budget
    if saturated == "index":
        assert (np.diff(lazy.gains) <= 1e-9).all()


@given(seed=SEEDS)
@settings(max_examples=15, deadline=None)
def test_permuting_the_pool_permutes_the_choice(seed):
    rng = np.random.default_rng(seed)
    kernel = kernel_of(rng, 12, 15)
    places = rng.permutation(15)
    usual, permuted = maximise(facility_location(kernel), 4), maximise(facility_location(kernel[:, places]), 4)
    np.testing.assert_array_equal(places[permuted.order], usual.order)


@given(seed=SEEDS)
@settings(max_examples=15, deadline=None)
def test_limits_of_the_two_variants(seed):
    rng = np.random.default_rng(seed)
    kernel, other = kernel_of(rng, 8, 10), kernel_of(rng, 8, 3)
    plain = maximise(facility_location(kernel), 5)
    without_cap = maximise(mutual_information(kernel, other, math.inf), 5)
    without_floor = maximise(conditional_gain(kernel, other, 0.0), 5)
    np.testing.assert_array_equal(without_cap.order, plain.order)
    np.testing.assert_array_equal(without_floor.order, plain.order)
    np.testing.assert_allclose(without_cap.gains, plain.gains, atol=1e-9)
    everything_known = conditional_gain(kernel, kernel, 1.0)
    assert maximise(everything_known, 10).gains.tolist() == [0.0] * 10
    assert maximise(everything_known, 10).order.tolist() == list(range(10))


def test_hand_computed():
    kernel = np.array([[0.875, 0.125, 0.5], [0.0, 0.75, 0.5], [0.125, 0.75, 0.625]], dtype=np.float32)
    found = maximise(facility_location(kernel), 2)
    assert found.order.tolist() == [1, 0]  # sums 1, 1.625, 1.625: the lower of the two; then 0.75 against 0.375
    assert found.gains.tolist() == [1.625, 0.75]
    capped = mutual_information(kernel, np.array([[0.25], [0.75], [0.75]], dtype=np.float32), 1.0)
    assert maximise(capped, 2).gains.tolist() == [1.625, 0.125]
    beyond = conditional_gain(kernel, np.array([[0.875], [0.0], [0.5]], dtype=np.float32), 1.0)
    assert maximise(beyond, 2).gains.tolist() == [1.0, 0.0]


def test_ties_go_to_the_lowest_index_and_a_duplicate_adds_nothing():
    kernel = np.tile(np.array([[0.3], [0.7]], dtype=np.float32), (1, 4))
    found = maximise(facility_location(kernel), 4)
    assert found.order.tolist() == [0, 1, 2, 3]
    assert found.gains[1:].tolist() == [0.0, 0.0, 0.0]


def test_the_whole_pool():
    kernel = kernel_of(np.random.default_rng(0), 5, 7)
    found = maximise(facility_location(kernel), 7)
    assert sorted(found.order.tolist()) == list(range(7))
    assert found.value == pytest.approx(float(kernel.max(axis=1).sum()), abs=1e-5)


def test_restart_serves_the_targets_again_where_nothing_adds_any_more():
    kernel = np.array([[1.0, 0.0, 0.0, 0.9], [0.0, 0.2, 1.0, 0.9]], dtype=np.float32)
    doubled = np.concatenate([kernel, kernel], axis=1)  # 4..7 are twins of 0..3
    once = maximise(facility_location(doubled), 6, saturated="index")
    again = maximise(facility_location(doubled), 6, saturated="restart")
    assert once.order.tolist() == [3, 0, 2, 1, 4, 5]
    assert again.order.tolist() == [3, 0, 2, 7, 4, 6]
    np.testing.assert_allclose(again.gains, [1.8, 0.1, 0.1, 1.8, 0.1, 0.1], atol=1e-6)


def test_restart_ends_where_nothing_ever_adds():
    kernel = np.zeros((3, 5), dtype=np.float32)
    assert maximise(facility_location(kernel), 5, saturated="restart").order.tolist() == list(range(5))


def test_a_file_larger_than_a_block_gives_the_same(tmp_path, monkeypatch):
    kernel = kernel_of(np.random.default_rng(1), 40, 60)
    expected = maximise(facility_location(kernel), 20)
    mapped = new_kernel(str(tmp_path / "kernel.npy"), 40, 60)
    mapped[:] = kernel
    mapped.flush()
    monkeypatch.setattr(fl, "BLOCK_VALUES", 100)
    monkeypatch.setattr(fl, "TURNED_BYTES", 0)
    read = np.load(tmp_path / "kernel.npy", mmap_mode="r")
    assert read.flags.f_contiguous
    found = maximise(facility_location(read), 20)
    np.testing.assert_array_equal(found.order, expected.order)
    np.testing.assert_array_equal(found.gains, expected.gains)


def test_stochastic_greedy_is_seeded_and_near_greedy():
    kernel = kernel_of(np.random.default_rng(2), 80, 100)
    exact = maximise(facility_location(kernel), 10).value

    def run(seed: int) -> fl.Selection:
        return maximise(facility_location(kernel), 10, optimiser="stochastic", rng=np.random.default_rng(seed))

    assert run(0).order.tolist() == run(0).order.tolist()
    assert run(0).order.tolist() != run(1).order.tolist()
    assert len(set(run(3).order.tolist())) == 10
    assert min(run(seed).value for seed in range(5)) >= (1 - 1 / math.e - 0.01) * exact


@pytest.mark.parametrize("n, budget", [(200, 60), (1000, 50)])
def test_agrees_with_apricot(n, budget):
    apricot = pytest.importorskip("apricot", reason="needs apricot-select (envs/dev.yaml)")
    half = np.random.default_rng(n).random((n, n)).astype(np.float32)
    kernel = np.asfortranarray((half + half.T) / 2)
    np.fill_diagonal(kernel, 1.0)
    other = apricot.FacilityLocationSelection(budget, metric="precomputed", optimizer="naive")
    other.fit(kernel.astype(np.float64))
    found = maximise(facility_location(kernel), budget)
    assert sorted(found.order.tolist()) == sorted(other.ranking.tolist())
    np.testing.assert_allclose(found.gains, other.gains, atol=1e-4)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"budget": 0}, "budget: 0 of 4 candidates"),
        ({"budget": 5}, "budget: 5 of 4 candidates"),
        ({"optimiser": "lasy"}, "did you mean 'lazy'"),
        ({"saturated": "begin"}, "saturated: unknown"),
        ({"optimiser": "stochastic"}, "needs a random generator"),
    ],
)
def test_impossible_requests(change, message):
    kernel = kernel_of(np.random.default_rng(0), 3, 4)
    with pytest.raises(UserError, match=message):
        maximise(facility_location(kernel), change.pop("budget", 2), **change)


@pytest.mark.parametrize("value", [-0.1, np.nan, np.inf])
@pytest.mark.parametrize("optimiser", ["lazy", "naive"])
def test_entries_below_0_or_not_finite(value, optimiser):
    kernel = kernel_of(np.random.default_rng(0), 3, 4)
    kernel[1, 2] = value
    with pytest.raises(UserError, match="below 0 or not finite"):
        maximise(facility_location(kernel), 2, optimiser=optimiser)


def test_parts_that_do_not_fit():
    kernel = kernel_of(np.random.default_rng(0), 3, 4)
    with pytest.raises(UserError, match="does not fit the kernel's 3 targets"):
        mutual_information(kernel, np.ones((2, 4), dtype=np.float32), 1.0)
    with pytest.raises(UserError, match="eta"):
        mutual_information(kernel, kernel, -1.0)
    with pytest.raises(UserError, match="nu"):
        conditional_gain(kernel, kernel, math.inf)
    with pytest.raises(UserError, match="expected float32"):
        facility_location(kernel.astype(np.float64))
    with pytest.raises(UserError, match="outside 0..3"):
        value_of(facility_location(kernel), [4])


def test_query_mutual_information_by_hand():
    """Two queries, three candidates, eta 1: bonus is each candidate's best query (.875, .75, .5)."""
    kernel = np.array([[0.875, 0.125, 0.5], [0.25, 0.75, 0.5]], dtype=np.float32)
    objective = query_mutual_information(kernel, 1.0)
    # {0}: .875 + .25 + .875; {1}: .125 + .75 + .75; {2}: .5 + .5 + .5
    assert [value_of(objective, [j]) for j in range(3)] == [2.0, 1.625, 1.5]
    assert value_of(objective, [0, 1]) == 0.875 + 0.75 + 0.875 + 0.75
    found = maximise(objective, 3)
    assert found.order.tolist() == [0, 1, 2]
    assert found.gains.tolist() == [2.0, 1.25, 0.5]  # the last adds its bonus alone: it is never saturated
    assert value_of(query_mutual_information(kernel, 0.0), [0, 1]) == value_of(facility_location(kernel), [0, 1])


def flqmi(kernel: np.ndarray, chosen: tuple[int, ...], eta: float) -> float:
    """Return sum over queries of the best chosen + eta * sum over chosen of the best query, written out."""
    best = sum(max((float(row[j]) for j in chosen), default=0.0) for row in kernel)
    return best + eta * sum(max(float(kernel[q, j]) for q in range(len(kernel))) for j in chosen)


@given(seed=SEEDS, eta=st.sampled_from([0.0, 0.3, 1.0, 4.0]))
@settings(max_examples=20, deadline=None)
def test_query_mutual_information_against_brute_force(seed, eta):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 11))
    kernel = kernel_of(rng, int(rng.integers(1, 5)), n)
    objective = query_mutual_information(kernel, eta)
    subsets = [subset for size in range(n + 1) for subset in itertools.combinations(range(n), size)]
    for subset in subsets:
        assert value_of(objective, list(subset)) == pytest.approx(flqmi(kernel, subset, eta), abs=1e-5)
    budget = int(rng.integers(1, n + 1))
    found = maximise(objective, budget)
    best = max(flqmi(kernel, subset, eta) for subset in subsets if len(subset) == budget)
    assert (1 - 1 / math.e) * best - 1e-5 <= found.value <= best + 1e-5
    # Greedy, written out: at every pick the candidate that adds most.
    chosen: tuple[int, ...] = ()
    for pick in found.order.tolist():
        gains = {j: flqmi(kernel, (*chosen, j), eta) for j in range(n) if j not in chosen}
        assert gains[pick] >= max(gains.values()) - 1e-5
        chosen = (*chosen, pick)


@pytest.mark.parametrize("eta", [0.5, 1.0, 2.0])
def test_query_mutual_information_equals_submodlib_s(eta):
    submodlib = pytest.importorskip("submodlib", reason="submodlib-py is in envs/bench.yaml only")
    rng = np.random.default_rng(5)
    kernel = kernel_of(rng, 4, 30)  # no two gains are equal
    theirs = submodlib.FacilityLocationVariantMutualInformationFunction(
        n=30, num_queries=4, query_sijs=np.array(kernel.T, dtype=np.float64), queryDiversityEta=eta
    )
    picks = theirs.maximize(
        budget=9, optimizer="LazyGreedy", stopIfZeroGain=False, stopIfNegativeGain=False, verbose=False
    )
    found = maximise(query_mutual_information(kernel, eta), 9)
    assert [row for row, _ in picks] == found.order.tolist()
    np.testing.assert_allclose([gain for _, gain in picks], found.gains, atol=1e-5)
    subset = {1, 7, 20}
    assert theirs.evaluate(subset) == pytest.approx(
        value_of(query_mutual_information(kernel, eta), [1, 7, 20]), abs=1e-5
    )


@pytest.mark.parametrize("eta", [-0.1, math.inf, math.nan])
def test_query_mutual_information_refuses_a_weight_that_means_nothing(eta):
    with pytest.raises(UserError, match="eta"):
        query_mutual_information(np.ones((2, 3), dtype=np.float32), eta)
