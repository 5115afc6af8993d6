"""The functions behind the registry of ways to choose (`scripts.selection.methods`), and the choice for many sizes.

Each takes what there is to choose from, the method, how many rows are asked for and a seed, and returns a `Choice`.
"""

from __future__ import annotations

import logging
from typing import Callable, Mapping, Sequence

import numpy as np

from scripts.common.errors import UserError
from scripts.common.files import read_csv, read_jsonl
from scripts.common.seeding import generator
from scripts.common.sizes import subset_size
from scripts.common.tensors import read_embeddings, read_tensors
from scripts.selection.choosing import STAGE_OBJECTIVES, Choice, Method, Sources
from scripts.selection.facility_location import (
    Objective,
    conditional_gain,
    facility_location,
    maximise,
    mutual_information,
    query_mutual_information,
)
from scripts.selection.kernels import read_kernel
from scripts.selection.methods import WAYS, way_of
from scripts.selection.scores import best, eligible

logger = logging.getLogger(__name__)

Function = Callable[[Sources, Method, int, int], Choice]


def by_nothing(sources: Sources, method: Method, n: int, seed: int) -> Choice:
    """Choose nothing: the model as it is."""
    return Choice(())


def by_all(sources: Sources, method: Method, n: int, seed: int) -> Choice:
    """Take the whole pool."""
    return Choice(tuple(range(len(sources.ids))))


def by_random(sources: Sources, method: Method, n: int, seed: int) -> Choice:
    """Draw rows uniformly, anew for each seed."""
    from scripts.selection.random_subset import random_subset

    drawn = random_subset(len(sources.ids), n, generator(seed, sources.draws, "random subset"))
    return Choice(tuple(drawn.tolist()))


def by_golden_score(sources: Sources, method: Method, n: int, seed: int) -> Choice:
    """Take rows whose score is above `above` and at most `at_most`; with an order only `n` from that end of them."""
    path = sources.need("golden_scores", method.by)
    rows = read_column(path, sources, ("id", "golden_score", "n_improved", "n_anchors"))
    # The fraction itself, not its decimal form: 85 of 100 is compared with 0.85 as when it was scored.
    scores = [int(row["n_improved"]) / int(row["n_anchors"]) if row["golden_score"] else None for row in rows]
    low = -1.0 if method.above is None else method.above
    high = 1.0 if method.at_most is None else method.at_most
    kept = [score if score is not None and low < score <= high else None for score in scores]
    return Choice(tuple(best(kept, len(kept) if method.by_threshold else n, method.end)))


def by_column(sources: Sources, method: Method, n: int, seed: int) -> Choice:
    """Take rows from one end of a score that has a column of its name; rows that are not eligible are never taken."""
    path = sources.need(way_of(method.by).needs[0], method.by)
    rows = read_column(path, sources, ("id", method.by))
    values = [float(row[method.by]) if row[method.by] else None for row in rows]
    chosen = best(eligible(method.by, values, method.end), n, method.end)
    if not chosen:
        raise UserError(
            f"{path}: column '{method.by}' has no value to choose by; switch that baseline on and score again"
        )
    if len(chosen) < n:
        logger.warning("by %s: only %d rows can be chosen; %d were asked for", method.by, len(chosen), n)
    return Choice(tuple(chosen))


def build_objective(
    name: str, kernel: np.ndarray, reference: Callable[[], np.ndarray], *, eta: float, nu: float
) -> Objective:
    """Return one of OBJECTIVES; `reference` gives the kernel of the query set or of the data at hand."""
    if name == "facility_location":
        return facility_location(kernel)
    if name == "mutual_information":
        return mutual_information(kernel, reference(), eta)
    if name == "query_mutual_information":
        return query_mutual_information(kernel, eta)
    return conditional_gain(kernel, reference(), nu)


def by_objective(sources: Sources, method: Method, n: int, seed: int) -> Choice:
    """Greedily maximise the method's objective on a kernel of utilities or similarities."""
    kernel = read_kernel(sources.need(way_of(method.by).needs[0], method.by), None, len(sources.ids))
    name = method.objective or STAGE_OBJECTIVES[sources.stage]
    objective = build_objective(
        name,
        kernel,
        lambda: read_kernel(sources.need("reference_kernel", f"{method.by}, {name}"), len(kernel), None),
        eta=method.eta,
        nu=method.nu,
    )
    rng = generator(seed, sources.draws, "stochastic greedy")
    found = maximise(
        objective, n, optimiser=method.optimiser, saturated=method.saturated, epsilon=method.epsilon, rng=rng
    )
    return Choice(tuple(found.order.tolist()), tuple(found.gains.tolist()))


def by_mean_utility(sources: Sources, method: Method, n: int, seed: int) -> Choice:
    """Take the examples that help the targets most on average, whatever else is chosen."""
    kernel = read_kernel(sources.need("utilities", method.by), None, len(sources.ids))
    means = np.array([kernel[:, column].mean(dtype=np.float64) for column in range(kernel.shape[1])])
    return Choice(tuple(np.argsort(-means, kind="stable")[:n].tolist()))


def by_deft_ucs(sources: Sources, method: Method, n: int, seed: int) -> Choice:
    """Take of each cluster of the embeddings the rows nearest to its centre and those farthest from it."""
    from scripts.selection.deft_ucs import deft_ucs, released_deft_ucs

    points = _embeddings(sources, method)
    function = released_deft_ucs if method.released else deft_ucs
    clusters = min(method.clusters, len(points))
    rows = function(points, n, clusters=clusters, near_share=method.near_share, threads=sources.threads)
    return Choice(tuple(rows.tolist()))


def by_herding(sources: Sources, method: Method, n: int, seed: int) -> Choice:
    """Take rows whose mean embedding stays near the mean of all."""
    from scripts.selection.herding import herding

    return Choice(tuple(herding(_embeddings(sources, method), n)))


def by_k_center(sources: Sources, method: Method, n: int, seed: int) -> Choice:
    """Take rows each the farthest from those before it (greedy k-center on the embeddings)."""
    from scripts.selection.k_centers import k_centers

    return Choice(tuple(k_centers(_embeddings(sources, method), n)))


def by_goal_bm25(sources: Sources, method: Method, n: int, seed: int) -> Choice:
    """Let the rows of the goal choose in turns, each the row of the pool that shares most of its rare words (BM25)."""
    from scripts.selection.bm25 import BM25
    from scripts.selection.turns import in_turns

    goal = [_words(row) for row in read_jsonl(sources.need("goal_rows", method.by))]
    pool = BM25([_words(row) for row in read_jsonl(sources.pool)])
    return Choice(tuple(in_turns(np.stack([pool.scores(text) for text in goal]), n)))


def by_goal_neighbours(sources: Sources, method: Method, n: int, seed: int) -> Choice:
    """Let the rows of the goal choose in turns, each the row of the pool with the nearest embedding (cosine)."""
    from scripts.selection.turns import in_turns

    paths = sources.need("goal_embeddings", method.by)
    goal = np.concatenate([read_tensors(path, "embeddings")[0]["embeddings"] for path in paths])
    pool = _embeddings(sources, method)
    if goal.shape[1] != pool.shape[1]:
        raise UserError(f"{paths[0]}: vectors of {goal.shape[1]} numbers, the pool's have {pool.shape[1]}; embed again")
    return Choice(tuple(in_turns(_unit(goal) @ _unit(pool).T, n)))


def by_truth(sources: Sources, method: Method, n: int, seed: int) -> Choice:
    """Draw uniformly among the rows that are known to be good: what a perfect filter would allow."""
    good: Mapping[str, bool] = sources.need("truth", method.by)
    rows = np.flatnonzero([good[row] for row in sources.ids])
    if not len(rows):
        raise UserError("--truth: no row of the pool is good; there is nothing to choose")
    drawn = generator(seed, sources.draws, "good rows").permutation(len(rows))[:n]
    return Choice(tuple(np.sort(rows[drawn]).tolist()))


def _words(row: Mapping[str, str]) -> str:
    return "\n".join((row["instruction"], row["input"], row["output"]))


def _unit(points: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    return points / np.where(lengths > 0, lengths, 1)


def _embeddings(sources: Sources, method: Method) -> np.ndarray:
    return read_embeddings(sources.need("embeddings", method.by), list(sources.ids), sources.pool)


def read_column(path: str, sources: Sources, columns: Sequence[str]) -> list[dict[str, str]]:
    """Return a table's rows in the pool's order. Raises `UserError` if it belongs to another pool."""
    rows = read_csv(path, columns)
    if [row["id"] for row in rows] != list(sources.ids):
        raise UserError(f"{path}: its ids are not those of {sources.pool}; score that pool again")
    return rows


def functions() -> dict[str, Function]:
    """Return the function of every way. Raises ValueError for an entry of the registry that has none here."""
    missing = [f"{name}: no function {way.function}" for name, way in WAYS.items() if way.function not in globals()]
    if missing:
        raise ValueError(f"scripts.selection.ways: {'; '.join(missing)}")
    return {name: globals()[way.function] for name, way in WAYS.items()}


FUNCTIONS = functions()


def choose(
    sources: Sources, method: Method, fractions: Sequence[float], seeds: Sequence[int], flag: str = "--fractions"
) -> dict[tuple[float, int], Choice]:
    """Return the choice for every fraction and seed; what does not depend on one of them is computed once.

    flag: what the message about a bad fraction calls it.
    """
    sizes = {fraction: subset_size(len(sources.ids), fraction, flag) for fraction in fractions}
    found: dict[tuple[int, int | None], Choice] = {}
    result: dict[tuple[float, int], Choice] = {}
    for fraction, n in sizes.items():
        for seed in seeds:
            wanted = max(sizes.values()) if method.nested else n
            key = (wanted, seed if method.random else None)
            if key not in found:
                found[key] = FUNCTIONS[method.by](sources, method, wanted, seed)
            result[fraction, seed] = found[key].first(n) if method.nested else found[key]
    return result
