"""The ways in which a subset of the pool is chosen (DELIFT, sections 3.2 and 4; the baselines of its tables)."""

from __future__ import annotations

import dataclasses
from typing import Any, Callable, Mapping, Sequence

import numpy as np

from scripts.common.errors import UserError
from scripts.common.seeding import generator
from scripts.common.settings import check_choice
from scripts.common.tensors import read_embeddings
from scripts.delift.kernels import read_kernel
from scripts.selection.facility_location import (
    OPTIMISERS,
    SATURATED,
    Objective,
    conditional_gain,
    facility_location,
    maximise,
    mutual_information,
)

STAGE_OBJECTIVES = {1: "facility_location", 2: "mutual_information", 3: "conditional_gain"}
OBJECTIVES = tuple(STAGE_OBJECTIVES.values())
GREEDY = ("utility", "embedding")
SCORED = ("selectit", "less", "ifd")
EMBEDDED = ("deft_ucs", "herding", "k_center")


@dataclasses.dataclass(frozen=True)
class Method:
    """How a subset is chosen.

    by: a key of WAYS. objective: of the greedy methods (utility, embedding); None = the stage's own. eta, nu: weights
    of the query set and of the data at hand. optimiser, epsilon: lazy, naive or stochastic with its epsilon.
    saturated: index (as released) or restart where nothing adds any more, see `maximise`. clusters,
    near_share: of DEFT-UCS (7 and one half as released).
    """

    by: str
    objective: str | None = None
    eta: float = 1.0
    nu: float = 1.0
    optimiser: str = "lazy"
    saturated: str = "index"
    epsilon: float = 0.01
    clusters: int = 7
    near_share: float = 0.5

    def __post_init__(self) -> None:
        check_choice("method: by", self.by, list(WAYS))
        check_choice("method: optimiser", self.optimiser, OPTIMISERS)
        check_choice("method: saturated", self.saturated, SATURATED)
        if self.objective is not None:
            check_choice("method: objective", self.objective, OBJECTIVES)
            if self.by not in GREEDY:
                raise UserError(f"method: by {self.by} has no objective; leave it out")


@dataclasses.dataclass(frozen=True)
class Sources:
    """What a method chooses from; paths are None where the command line names none."""

    pool: str
    ids: tuple[str, ...]
    stage: int
    kernel: str | None = None
    reference_kernel: str | None = None
    embeddings: str | None = None
    scores: str | None = None
    good: Mapping[str, bool] | None = None
    threads: int = 1

    def need(self, name: str, by: str) -> Any:
        """Return a source. Raises `UserError` if the command line does not name it."""
        value = getattr(self, name)
        if value is None:
            flag = "--truth" if name == "good" else f"--{name.replace('_', '-')}"
            raise UserError(f"method: by {by} needs {flag}; give it")
        return value


@dataclasses.dataclass(frozen=True)
class Choice:
    """Rows of the pool in the order chosen, and what each added to the objective (greedy methods only)."""

    rows: tuple[int, ...]
    gains: tuple[float, ...] | None = None


def budget_of(n_pool: int, fraction: float) -> int:
    """Return int(fraction * n_pool), as released, at least 1. Raises `UserError` unless 0 < fraction <= 1."""
    if not 0 < fraction <= 1:
        raise UserError(f"--fractions {fraction:g}: outside (0, 1]; a budget of 0 or above the pool chooses nothing")
    return max(1, int(fraction * n_pool + 1e-9))  # 0.7 * 10 is a little below 7 in floating point


def build_objective(
    name: str, kernel: np.ndarray, reference: Callable[[], np.ndarray], *, eta: float, nu: float
) -> Objective:
    """Return one of the three objectives; `reference` gives the kernel of the query set or of the data at hand."""
    if name == "facility_location":
        return facility_location(kernel)
    if name == "mutual_information":
        return mutual_information(kernel, reference(), eta)
    return conditional_gain(kernel, reference(), nu)


def by_objective(sources: Sources, method: Method, n: int, seed: int) -> Choice:
    """Greedily maximise the method's objective on a kernel of utilities or similarities."""
    kernel = read_kernel(sources.need("kernel", method.by), None, len(sources.ids))
    name = method.objective or STAGE_OBJECTIVES[sources.stage]
    objective = build_objective(
        name,
        kernel,
        lambda: read_kernel(sources.need("reference_kernel", f"{method.by}, {name}"), len(kernel), None),
        eta=method.eta,
        nu=method.nu,
    )
    rng = generator(seed, "delift", "stochastic greedy")
    found = maximise(
        objective, n, optimiser=method.optimiser, saturated=method.saturated, epsilon=method.epsilon, rng=rng
    )
    return Choice(tuple(found.order.tolist()), tuple(found.gains.tolist()))


def by_mean_utility(sources: Sources, method: Method, n: int, seed: int) -> Choice:
    """Take the examples that help the targets most on average, whatever else is chosen."""
    kernel = read_kernel(sources.need("kernel", method.by), None, len(sources.ids))
    means = np.array([kernel[:, column].mean(dtype=np.float64) for column in range(kernel.shape[1])])
    return Choice(tuple(np.argsort(-means, kind="stable")[:n].tolist()))


def by_random(sources: Sources, method: Method, n: int, seed: int) -> Choice:
    """Draw rows uniformly, anew for each seed."""
    from scripts.selection.random_subset import random_subset

    return Choice(tuple(random_subset(len(sources.ids), n, generator(seed, "delift", "random subset")).tolist()))


def by_score(sources: Sources, method: Method, n: int, seed: int) -> Choice:
    """Take the highest scores of SelectIT, LESS or IFD; rows without a score are not taken.

    IFD of 1 or more marks an instruction that does not help its answer, and is left out (Superfiltering).
    """
    from scripts.common.files import read_csv

    path = sources.need("scores", method.by)
    rows = read_csv(path, ("id", method.by))
    if [row["id"] for row in rows] != list(sources.ids):
        raise UserError(f"{path}: its ids are not those of {sources.pool}; score that pool again")
    scores = np.array([float(row[method.by]) if row[method.by] else -np.inf for row in rows])
    if method.by == "ifd":
        scores[scores >= 1.0] = -np.inf
    order = np.argsort(-scores, kind="stable")[:n]
    if not np.isfinite(scores[order]).any():
        raise UserError(
            f"{path}: column '{method.by}' has no value to choose by; switch that baseline on and score again"
        )
    return Choice(tuple(order[np.isfinite(scores[order])].tolist()))


def by_embeddings(sources: Sources, method: Method, n: int, seed: int) -> Choice:
    """Choose by the geometry of the embeddings: DEFT-UCS, herding or k-center."""
    path = sources.need("embeddings", method.by)
    points = read_embeddings(path, list(sources.ids), sources.pool)
    if method.by == "herding":
        from scripts.selection.herding import herding

        return Choice(tuple(herding(points, n)))
    if method.by == "k_center":
        from scripts.selection.k_centers import k_centers

        return Choice(tuple(k_centers(points, n)))
    from scripts.selection.deft_ucs import deft_ucs

    rows = deft_ucs(
        points, n, clusters=min(method.clusters, len(points)), near_share=method.near_share, threads=sources.threads
    )
    return Choice(tuple(rows.tolist()))


def by_truth(sources: Sources, method: Method, n: int, seed: int) -> Choice:
    """Draw uniformly among the rows that are known to be good: what a perfect filter would allow."""
    good = sources.need("good", method.by)
    rows = np.flatnonzero([good[row] for row in sources.ids])
    if not len(rows):
        raise UserError("--truth: no row of the pool is good; there is nothing to choose")
    drawn = generator(seed, "delift", "good rows").permutation(len(rows))[:n]
    return Choice(tuple(np.sort(rows[drawn]).tolist()))


WAYS: Mapping[str, Callable[[Sources, Method, int, int], Choice]] = {
    "none": lambda sources, method, n, seed: Choice(()),
    "all": lambda sources, method, n, seed: Choice(tuple(range(len(sources.ids)))),
    "random": by_random,
    **dict.fromkeys(GREEDY, by_objective),
    "mean_utility": by_mean_utility,
    **dict.fromkeys(SCORED, by_score),
    **dict.fromkeys(EMBEDDED, by_embeddings),
    "only_good": by_truth,
}
# The rest chooses the same rows whatever the seed.
RANDOM_WAYS = ("random", "only_good")
# The first n of a larger choice are the choice of n.
NESTED_WAYS = (*GREEDY, "mean_utility", *SCORED, "herding", "k_center")


def choose(
    sources: Sources, method: Method, fractions: Sequence[float], seeds: Sequence[int]
) -> dict[tuple[float, int], Choice]:
    """Return the choice for every fraction and seed; what does not depend on one of them is computed once."""
    budgets = {fraction: budget_of(len(sources.ids), fraction) for fraction in fractions}
    seeded = method.by in RANDOM_WAYS or (method.by in GREEDY and method.optimiser == "stochastic")
    # Stochastic greedy looks at fewer candidates the larger the budget: its choices are not nested.
    nested = method.by in NESTED_WAYS and not seeded
    found: dict[tuple[int, int | None], Choice] = {}
    result: dict[tuple[float, int], Choice] = {}
    for fraction, n in budgets.items():
        for seed in seeds:
            wanted = max(budgets.values()) if nested else n
            key = (wanted, seed if seeded else None)
            if key not in found:
                found[key] = WAYS[method.by](sources, method, wanted, seed)
            whole = found[key]
            cut = n if nested else len(whole.rows)
            result[fraction, seed] = Choice(whole.rows[:cut], whole.gains and whole.gains[:cut])
    return result
