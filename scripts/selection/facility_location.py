"""Facility location and its relatives, maximised greedily (DELIFT, section 3.2; Iyer et al., 2021).

A kernel holds s_ij >= 0: how well candidate j serves target i, shape (targets, candidates). For a subset S:
- facility location: f(S) = sum_i max_{j in S} s_ij
- mutual information with a query set Q: f(S; Q) = sum_i min(max_{j in S} s_ij, eta * max_{q in Q} s_iq)
- conditional gain given a private set P: f(S | P) = sum_i max(max_{j in S} s_ij - nu * max_{p in P} s_ip, 0)
- query mutual information, whose targets are the query set: f(S; Q) = sum_{q in Q} max_{j in S} s_qj
  + eta * sum_{j in S} max_{q in Q} s_qj

All are one function with a cap and a floor for each target and a bonus for each candidate:
f(S) = sum_i (max(best_i, floor_i) - floor_i) + sum_{j in S} bonus_j with best_i = max_{j in S} min(s_ij, cap_i). It is
monotone with diminishing returns, so greedy choice reaches at least 1 - 1/e of the best value.
# DEVIATION: the released code hands an (n x m) matrix to a library that expects a square one, and mixes up the
# arguments of the two variants; we compute the definitions on (targets x candidates) kernels.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from scripts.common.errors import UserError, did_you_mean

OPTIMISERS = ("lazy", "naive", "stochastic")
SATURATED = ("index", "restart")
BLOCK_VALUES = 1 << 20  # kernel entries that one block of work copies
FIRST_BATCH = 4  # candidates whose gain is brought up to date together, doubled while the best is not certain
ROUNDING = 1e-9  # bound on what rounding can do to a gain, per target and unit of the kernel's largest entry
TURNED_BYTES = 4 << 30  # a kernel up to this size is held a second time, laid out by targets, to be updated fast


@dataclasses.dataclass(frozen=True)
class Objective:
    """A function to maximise. kernel: (targets, candidates) float32, also a memory-mapped file; cap, floor: (targets,).

    bonus: (candidates,) float64, what each adds by itself, whatever else is chosen.
    A kernel that is too large for memory should lie candidate by candidate (Fortran order), as `new_kernel` makes it.
    """

    kernel: np.ndarray
    cap: np.ndarray | None = None
    floor: np.ndarray | None = None
    bonus: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.kernel.ndim != 2 or self.kernel.dtype != np.float32 or 0 in self.kernel.shape:
            raise UserError(
                f"kernel: expected float32 (targets, candidates), found {self.kernel.dtype} {self.kernel.shape}"
            )
        for name in ("cap", "floor"):
            vector = getattr(self, name)
            if vector is not None and (vector.shape != self.kernel.shape[:1] or vector.dtype != np.float32):
                raise UserError(f"kernel: {self.kernel.shape[0]} targets, but the {name} has shape {vector.shape}")
        if self.bonus is not None and (self.bonus.shape != self.kernel.shape[1:] or self.bonus.dtype != np.float64):
            raise UserError(f"kernel: {self.kernel.shape[1]} candidates, but the bonus has shape {self.bonus.shape}")

    def bonus_of(self, candidates: slice | np.ndarray) -> np.ndarray | float:
        """Return what these candidates add by themselves, 0 where nothing does."""
        return 0.0 if self.bonus is None else self.bonus[candidates]

    @property
    def start(self) -> np.ndarray:
        """Return what serves each target before anything is chosen, (targets,) float32; a fresh array."""
        if self.floor is None:
            return np.zeros(self.kernel.shape[0], dtype=np.float32)
        return self.floor.copy()

    def columns(self, candidates: slice | np.ndarray) -> np.ndarray:
        """Return what these candidates offer each target, (candidates, targets), contiguous; a fresh array."""
        offers = np.array(self.kernel[:, candidates].T, order="C")
        return offers if self.cap is None else np.minimum(offers, self.cap, out=offers)


@dataclasses.dataclass(frozen=True)
class Selection:
    """Candidates in the order chosen, (k,) int64, and what each added to the objective when chosen, (k,) float64."""

    order: np.ndarray
    gains: np.ndarray

    @property
    def value(self) -> float:
        """Return the objective of the whole subset."""
        return float(self.gains.sum())


def facility_location(kernel: np.ndarray) -> Objective:
    """Return the objective of stage 1: every target is served by its best candidate (DELIFT, section 3.2)."""
    return Objective(kernel)


def mutual_information(kernel: np.ndarray, query_kernel: np.ndarray, eta: float) -> Objective:
    """Return the objective of stage 2: a target counts up to `eta` times as much as the query set serves it.

    query_kernel: (targets, queries). eta: >= 0; infinity gives facility location. Raises `UserError` for other shapes.
    """
    if not eta >= 0:
        raise UserError(f"eta: {eta} is not a number >= 0")
    best = _best_of(query_kernel, kernel, "query")
    if math.isinf(eta):
        return Objective(kernel, cap=np.full(len(best), np.inf, dtype=np.float32))
    return Objective(kernel, cap=(np.float32(eta) * best).astype(np.float32))


def query_mutual_information(kernel: np.ndarray, eta: float) -> Objective:
    """Return the other form of facility-location mutual information (FLQMI; Kothawade et al., 2022, "PRISM").

    kernel: (queries, candidates): the targets are the query set itself. Every query is served by its best candidate,
    and every candidate adds `eta` times what it is worth to its best query. eta: >= 0, finite; 0 gives facility
    location on the queries. Raises `UserError` for another eta and for entries below 0 or not finite.
    """
    if not (eta >= 0 and math.isfinite(eta)):
        raise UserError(f"eta: {eta} is not a finite number >= 0")
    if kernel.ndim != 2 or 0 in kernel.shape:
        raise UserError(f"kernel: expected (queries, candidates), found shape {kernel.shape}")
    best = np.empty(kernel.shape[1], dtype=np.float64)
    for block in _blocks(kernel.shape[1], kernel.shape[0]):
        best[block] = np.asarray(kernel[:, block]).max(axis=0)
    if not (np.isfinite(best).all() and (best >= 0).all()):
        raise UserError("kernel: entries below 0 or not finite; scale it to [0, 1] first")
    return Objective(kernel, bonus=eta * best)


def conditional_gain(kernel: np.ndarray, private_kernel: np.ndarray, nu: float) -> Objective:
    """Return the objective of stage 3: a target counts beyond `nu` times what the data at hand serve it already.

    private_kernel: (targets, examples at hand). nu: >= 0, finite; 0 gives facility location. Raises `UserError` for
    other shapes.
    """
    if not (nu >= 0 and math.isfinite(nu)):
        raise UserError(f"nu: {nu} is not a finite number >= 0")
    best = _best_of(private_kernel, kernel, "private")
    return Objective(kernel, floor=(np.float32(nu) * best).astype(np.float32))


def _best_of(other: np.ndarray, kernel: np.ndarray, what: str) -> np.ndarray:
    """Return the largest entry of each row of `other`, (targets,), checked."""
    if other.ndim != 2 or other.shape[0] != kernel.shape[0] or other.shape[1] == 0:
        raise UserError(f"{what} kernel: shape {other.shape} does not fit the kernel's {kernel.shape[0]} targets")
    best = np.full(other.shape[0], -np.inf, dtype=np.float32)
    for block in _blocks(other.shape[1], other.shape[0]):
        np.maximum(best, np.asarray(other[:, block]).max(axis=1), out=best)
    if not (np.isfinite(best).all() and (best >= 0).all()):
        raise UserError(f"{what} kernel: entries below 0 or not finite; scale it to [0, 1] first")
    return best


def value_of(objective: Objective, subset: np.ndarray) -> float:
    """Return f(S) of any subset, 0 for an empty one. Raises `UserError` for an index outside the candidates."""
    chosen = np.asarray(subset, dtype=np.int64)
    if len(chosen) and not (chosen.min() >= 0 and chosen.max() < objective.kernel.shape[1]):
        raise UserError(f"subset: holds an index outside 0..{objective.kernel.shape[1] - 1}")
    served = objective.start
    for block in _blocks(len(chosen), len(served)):
        np.maximum(served, objective.columns(chosen[block]).max(axis=0), out=served)
    alone = float(np.sum(objective.bonus_of(chosen)))
    return float(served.sum(dtype=np.float64) - objective.start.sum(dtype=np.float64)) + alone


def maximise(
    objective: Objective,
    budget: int,
    *,
    optimiser: str = "lazy",
    saturated: str = "index",
    epsilon: float = 0.01,
    rng: np.random.Generator | None = None,
) -> Selection:
    """Choose `budget` candidates greedily: each time the one that adds most, the lowest index where several do.

    optimiser: `naive` computes every gain at every pick; `lazy` only those that can still be the highest, and picks the
    same; `stochastic` looks at a random part of size n / budget * ln(1 / epsilon) at every pick (Mirzasoleiman et al.,
    2015): an approximation, 1 - 1/e - epsilon of the best in expectation, with draws from `rng`.
    saturated: what to do where nothing adds any more: `index` goes on with the lowest indices, as released; `restart`
    begins anew with the candidates that are left, as if nothing had been chosen, so that further picks are as useful as
    the first ones were (their gains are counted in that round).
    Memory: a second copy of kernels up to `TURNED_BYTES` (lazy), else blocks only.
    Raises `UserError` for a budget outside 1..n and for entries below 0 or not finite.
    """
    n = objective.kernel.shape[1]
    if optimiser not in OPTIMISERS:
        raise UserError(f"optimiser: unknown '{optimiser}'{did_you_mean(optimiser, OPTIMISERS)}; use {OPTIMISERS}")
    if isinstance(budget, bool) or not isinstance(budget, (int, np.integer)) or not 1 <= budget <= n:
        raise UserError(f"budget: {budget!r} of {n} candidates; choose a number in 1..{n}")
    if saturated not in SATURATED:
        raise UserError(f"saturated: unknown '{saturated}'{did_you_mean(saturated, SATURATED)}; use {SATURATED}")
    restart = saturated == "restart"
    if optimiser == "naive":
        return _naive(objective, int(budget), restart)
    if optimiser == "lazy":
        return _lazy(objective, int(budget), restart)
    if rng is None or not 0 < epsilon < 1:
        raise UserError("optimiser: stochastic needs a random generator and an epsilon between 0 and 1")
    return _stochastic(objective, int(budget), restart, epsilon, rng)


def new_kernel(path: str, n_targets: int, n_candidates: int) -> np.memmap:
    """Make a .npy file for a (targets, candidates) float32 kernel, candidate by candidate, and map it for writing."""
    shape = (n_targets, n_candidates)
    return np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape, fortran_order=True)


def _blocks(n: int, width: int) -> list[slice]:
    """Return slices over `n` candidates of at most `BLOCK_VALUES` entries each."""
    step = max(1, BLOCK_VALUES // max(1, width))
    return [slice(at, min(n, at + step)) for at in range(0, n, step)]


class _Gains:
    """Exact gains of candidates, equal to the bit however many are computed together.

    The gain of j is sum_i max(offer_ij, served_i) - sum_i served_i. The largest of two entries has no rounding error
    and sums run in float64, so a candidate that changes nothing has a gain of exactly 0.
    """

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.restart()
        self.largest = float(self.served.max())  # entry of the kernel seen so far
        if objective.bonus is not None:
            self.largest = max(self.largest, float(objective.bonus.max()))

    @staticmethod
    def _sums(rows: np.ndarray) -> np.ndarray:
        return rows.astype(np.float64).sum(axis=1)  # each contiguous row alone: the same bits in any company

    def of(self, candidates: np.ndarray) -> np.ndarray:
        """Return the present gains of these candidates, float64."""
        gains = np.empty(len(candidates), dtype=np.float64)
        for block in _blocks(len(candidates), len(self.served)):
            offers = self.objective.columns(candidates[block])
            gains[block] = self._sums(np.maximum(offers, self.served, out=offers)) - self.total
        return gains + self.objective.bonus_of(candidates)

    def of_all(self) -> np.ndarray:
        """Return the gains of all candidates; refuses kernels with entries below 0 or not finite."""
        n = self.objective.kernel.shape[1]
        gains = np.empty(n, dtype=np.float64)
        for block in _blocks(n, len(self.served)):
            offers = np.array(self.objective.kernel[:, block].T, order="C")
            if not (np.isfinite(offers).all() and offers.min() >= 0):
                raise UserError("kernel: entries below 0 or not finite; scale it to [0, 1] first")
            self.largest = max(self.largest, float(offers.max()))
            if self.objective.cap is not None:
                np.minimum(offers, self.objective.cap, out=offers)
            gains[block] = self._sums(np.maximum(offers, self.served, out=offers)) - self.total
        return gains + self.objective.bonus_of(slice(None))

    def nothing(self, gain: float) -> bool:
        """Return whether a gain is no more than rounding, and something has been chosen since the start."""
        return gain <= self.slack and not self.fresh

    @property
    def slack(self) -> float:
        """Return what rounding can do to a gain at most."""
        return ROUNDING * len(self.served) * max(1.0, self.largest)

    def restart(self) -> None:
        """Forget what was chosen."""
        self.served = self.objective.start
        self.total = self._sums(self.served[None])[0]
        self.fresh = True

    def take(self, candidate: int) -> tuple[np.ndarray, np.ndarray]:
        """Choose a candidate; return the targets that it serves better than before and how they were served."""
        offer = self.objective.columns(np.array([candidate]))[0]
        changed = np.flatnonzero(offer > self.served)
        self.fresh = False
        before = self.served[changed]
        self.served[changed] = offer[changed]
        self.total = self._sums(self.served[None])[0]
        return changed, before


def _naive(objective: Objective, budget: int, restart: bool) -> Selection:
    """Compute all gains at each pick."""
    gains_of = _Gains(objective)
    free = np.ones(objective.kernel.shape[1], dtype=bool)
    order, gains = [], []
    for _ in range(budget):
        every = np.where(free, gains_of.of_all(), -np.inf)
        if restart and gains_of.nothing(every.max()):
            gains_of.restart()
            every = np.where(free, gains_of.of_all(), -np.inf)
        best = int(np.argmax(every))
        order.append(best)
        gains.append(every[best])
        free[best] = False
        gains_of.take(best)
    return Selection(np.array(order, dtype=np.int64), np.array(gains))


def _stochastic(
    objective: Objective, budget: int, restart: bool, epsilon: float, rng: np.random.Generator
) -> Selection:
    """Compute the gains of a random part of the free candidates at each pick."""
    gains_of = _Gains(objective)
    free = np.arange(objective.kernel.shape[1])
    size = math.ceil(len(free) / budget * math.log(1 / epsilon))
    order, gains = [], []
    gains_of.of_all()  # checks the kernel
    for _ in range(budget):
        seen = np.sort(rng.permutation(len(free))[:size])
        every = gains_of.of(free[seen])
        if restart and gains_of.nothing(every.max()):
            gains_of.restart()
            every = gains_of.of(free[seen])
        place = int(np.argmax(every))
        order.append(int(free[seen[place]]))
        gains.append(every[place])
        free = np.delete(free, seen[place])
        gains_of.take(order[-1])
    return Selection(np.array(order, dtype=np.int64), np.array(gains))


def _lazy(objective: Objective, budget: int, restart: bool) -> Selection:
    """Compute only the gains that can still be the highest.

    An old gain is an upper bound, because gains only fall (Minoux, 1978). Where the kernel fits in memory twice, the
    bounds are also lowered at each pick, by what the targets that changed are worth, and are then all but exact.
    """
    gains_of = _Gains(objective)
    bounds = gains_of.of_all()
    turned = _turned(objective)
    free, current = np.ones(len(bounds), dtype=bool), np.ones(len(bounds), dtype=bool)
    order, gains = np.empty(budget, dtype=np.int64), np.empty(budget)
    for pick in range(budget):
        _settle(gains_of, bounds, current, free)
        certain = np.where(current & free, bounds, -np.inf)
        if restart and gains_of.nothing(certain.max()):
            gains_of.restart()
            certain = bounds = np.where(free, gains_of.of_all(), -np.inf)
            current[:] = True
        best = int(np.argmax(certain))
        order[pick], gains[pick] = best, certain[best]
        free[best] = False
        changed, before = gains_of.take(best)
        if len(changed):
            current[:] = False
            if turned is not None:
                _lower(bounds, turned, changed, before, gains_of.served[changed])
    return Selection(order, gains)


def _settle(gains_of: _Gains, bounds: np.ndarray, current: np.ndarray, free: np.ndarray) -> None:
    """Bring gains up to date, the highest bounds first, until no other bound reaches the highest gain."""
    batch, slack = FIRST_BATCH, gains_of.slack
    while True:
        known = current & free
        best = bounds[known].max() if known.any() else -np.inf
        open_ones = np.flatnonzero(~current & free & (bounds >= best - slack))
        if not len(open_ones):
            return
        if best == -np.inf:  # nothing is known yet: begin near the top
            open_ones = open_ones[bounds[open_ones] >= bounds[open_ones].max() - slack]
        if len(open_ones) > batch:
            open_ones = np.sort(open_ones[np.argpartition(-bounds[open_ones], batch - 1)[:batch]])
        bounds[open_ones] = gains_of.of(open_ones)
        current[open_ones] = True
        batch *= 2


def _turned(objective: Objective) -> np.ndarray | None:
    """Return the offers laid out by targets, (targets, candidates), or None where a second copy would be too large."""
    if objective.kernel.nbytes > TURNED_BYTES:
        return None
    turned = np.empty(objective.kernel.shape, dtype=np.float32)
    for block in _blocks(*objective.kernel.shape):
        turned[block] = objective.kernel[block]
        if objective.cap is not None:
            np.minimum(turned[block], objective.cap[block, None], out=turned[block])
    return turned


def _lower(bounds: np.ndarray, turned: np.ndarray, changed: np.ndarray, before: np.ndarray, after: np.ndarray) -> None:
    """Lower every bound by what its candidate could have added to the targets that are served better now."""
    for block in _blocks(len(changed), turned.shape[1]):
        rows = turned[changed[block]]
        np.clip(rows, before[block, None], after[block, None], out=rows)
        bounds -= rows.sum(axis=0, dtype=np.float64) - before[block].sum(dtype=np.float64)
