"""Is one choice better than another? Paired differences over test rows and trainings, with an interval for both.

Every model, of one choice and of the other, answers the same test rows, and training s of the one is paired with
training s of the other. The mean difference therefore varies for two reasons: other test rows would have been drawn,
and other trainings (and other random subsets) would have come out. Rows and trainings are crossed random effects
without replication; with the mean squares of rows, trainings and rest, the variance of the mean is

    (MS_rows + MS_trainings - MS_rest) / (rows x trainings)

and its degrees of freedom follow Satterthwaite (1946); see Searle, Casella and McCulloch, Variance Components, ch. 4.
It is never taken smaller than what either source alone would say, so chance cannot make it vanish.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

CONFIDENCE = 0.95
MOST_ROWS = 100_000
"""More test rows than that are no advice."""


@dataclasses.dataclass(frozen=True)
class Difference:
    """The mean paired difference, its 95 % interval, and what it varies by.

    mean, low, high: in the unit of the measurements; positive: the first is better where more is better. n_rows,
    n_trainings: how many were compared. row_variance, training_variance, rest_variance: of one difference, by source.
    """

    mean: float
    low: float
    high: float
    n_rows: int
    n_trainings: int
    row_variance: float
    training_variance: float
    rest_variance: float

    @property
    def decided(self) -> bool:
        """Tell whether the interval leaves out 0: the two are told apart."""
        return self.low > 0 or self.high < 0

    def variance(self, n_rows: int, n_trainings: int) -> float:
        """Return the variance that the mean would have with so many test rows and trainings."""
        return (
            self.row_variance / n_rows
            + self.training_variance / n_trainings
            + self.rest_variance / (n_rows * n_trainings)
        )


def paired_difference(ours: np.ndarray, theirs: np.ndarray) -> Difference:
    """Return how much better `ours` is than `theirs`, both (trainings, test rows), of which more is better.

    A choice with a single training (the model as it is) is given as one row and stands beside each of the others.
    Raises ValueError for other shapes, fewer than 2 test rows, or values that are not finite.
    """
    ours, theirs = np.atleast_2d(ours).astype(np.float64), np.atleast_2d(theirs).astype(np.float64)
    values = ours - theirs  # one row is spread over the other's
    n_trainings, n_rows = values.shape
    if ours.shape[1] != theirs.shape[1] or n_rows < 2 or not np.isfinite(values).all():
        raise ValueError("paired_difference: needs finite values of the same 2 or more test rows")
    mean = float(values.mean())
    rows, trainings = values.mean(axis=0), values.mean(axis=1)
    ms_rows = n_trainings * float(((rows - mean) ** 2).sum()) / (n_rows - 1)
    if n_trainings == 1:
        return _interval(mean, ms_rows / n_rows, n_rows - 1, (n_rows, 1, ms_rows, 0.0, 0.0))
    ms_trainings = n_rows * float(((trainings - mean) ** 2).sum()) / (n_trainings - 1)
    rest = values - rows[None, :] - trainings[:, None] + mean
    rest_df = (n_rows - 1) * (n_trainings - 1)
    ms_rest = float((rest**2).sum()) / rest_df
    total = ms_rows + ms_trainings - ms_rest
    spread = (
        ms_rows**2 / (n_rows - 1) + ms_trainings**2 / (n_trainings - 1) + ms_rest**2 / rest_df
        if total >= max(ms_rows, ms_trainings)
        else max(ms_rows**2 / (n_rows - 1), ms_trainings**2 / (n_trainings - 1))
    )
    total = max(total, ms_rows, ms_trainings)
    df = total**2 / spread if spread else math.inf
    parts = (max(0.0, ms_rows - ms_rest) / n_trainings, max(0.0, ms_trainings - ms_rest) / n_rows, ms_rest)
    return _interval(mean, total / (n_rows * n_trainings), df, (n_rows, n_trainings, *parts))


def _interval(mean: float, variance: float, df: float, facts: tuple[int, int, float, float, float]) -> Difference:
    reach = quantile(df) * math.sqrt(variance)
    return Difference(mean, mean - reach, mean + reach, *facts)


def quantile(df: float) -> float:
    """Return the two-sided 95 % quantile of Student's t; of the normal where df is infinite."""
    from scipy import stats

    upper = (1 + CONFIDENCE) / 2
    return float(stats.norm.ppf(upper) if math.isinf(df) else stats.t.ppf(upper, max(df, 1.0)))


def rows_needed(difference: Difference) -> int | None:
    """Return about how many test rows would tell a difference of this size apart from none, rounded up to one digit.

    With as many trainings as now. None where no number would do, because the trainings differ too much among themselves
    or the difference is too small for MOST_ROWS.
    """
    n_trainings = difference.n_trainings
    room = (difference.mean / quantile(math.inf)) ** 2 - difference.training_variance / n_trainings
    if room <= 0:
        return None
    rows = math.ceil((difference.row_variance + difference.rest_variance / n_trainings) / room)
    rows = max(rows, difference.n_rows + 1)
    return None if rows > MOST_ROWS else rounded_up(rows)


def trainings_needed(difference: Difference) -> int | None:
    """Return about how many trainings would tell the difference apart with the test rows there are; None above 100."""
    room = (difference.mean / quantile(math.inf)) ** 2 - difference.row_variance / difference.n_rows
    if room <= 0:
        return None
    trainings = math.ceil((difference.training_variance + difference.rest_variance / difference.n_rows) / room)
    trainings = max(trainings, difference.n_trainings + 1)
    return None if trainings > 100 else trainings


def rounded_up(number: int) -> int:
    """Return a number rounded up to its first digit: 341 is 400, 41 is 50; one of a single digit stays."""
    unit = 10 ** (len(str(number)) - 1)
    return math.ceil(number / unit) * unit


def verdict(name: str, against: str, difference: Difference, unit: str, digits: int = 2) -> str:
    """Return in one plain sentence what a comparison says. unit: of the difference, e.g. nats."""
    size = f"{abs(difference.mean):.{digits}f} {unit}"
    low, high = (difference.low, difference.high) if difference.mean >= 0 else (-difference.high, -difference.low)
    within = f"[{low:.{digits}f}, {high:.{digits}f}]"
    if difference.decided:
        return f"{name} {'beats' if difference.mean > 0 else 'is worse than'} {against} by {size} {within}"
    start = f"{name} cannot be told from {against} with {difference.n_rows} test rows"
    rows = rows_needed(difference)
    if rows is not None:
        return (
            f"{start}; some {rows:,} would do if the difference is what it seems ({difference.mean:+.{digits}f} {unit})"
        )
    trainings = trainings_needed(difference)
    if trainings is not None:
        return f"{start}; more of them would not do, but some {trainings} trainings of each would (--seeds {trainings})"
    seen = f"{difference.mean:+.{digits}f} {unit}"
    return f"{start}; the difference seen ({seen}) is too small for any sensible number of rows or trainings"
