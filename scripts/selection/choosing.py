"""What a choice is made of: how (`Method`), from what (`Sources`), and what comes out (`Choice`)."""

from __future__ import annotations

import dataclasses
from typing import Any, Mapping

from scripts.common.errors import UserError
from scripts.common.settings import check_choice
from scripts.selection.facility_location import OPTIMISERS, SATURATED
from scripts.selection.methods import way_of

STAGE_OBJECTIVES = {1: "facility_location", 2: "mutual_information", 3: "conditional_gain"}
"""What DELIFT maximises in each of its stages unless the method says otherwise."""
OBJECTIVES = (*STAGE_OBJECTIVES.values(), "query_mutual_information")
ORDERS = ("highest", "lowest")


@dataclasses.dataclass(frozen=True)
class Method:
    """How a subset is chosen: a row of a paper's `methods`. An option that the way does not read is refused.

    by: a key of `scripts.selection.methods.WAYS`. above (strictly), at_most: thresholds of the golden score. order: the
    end of a score that is taken, highest or lowest. objective: one of OBJECTIVES; None = the stage's own. eta, nu:
    weights of the query set and of the data at hand. optimiser, epsilon: lazy, naive or stochastic with its epsilon.
    saturated: index (as released) or restart where nothing adds any more, see `maximise`. clusters, near_share: of
    DEFT-UCS (7 and one half as released); released: DEFT-UCS with the indices of DELIFT's released code.
    """

    by: str
    above: float | None = None
    at_most: float | None = None
    order: str | None = None
    objective: str | None = None
    eta: float = 1.0
    nu: float = 1.0
    optimiser: str = "lazy"
    saturated: str = "index"
    epsilon: float = 0.01
    clusters: int = 7
    near_share: float = 0.5
    released: bool = False

    def __post_init__(self) -> None:
        way = way_of(self.by)
        for field in dataclasses.fields(self):
            if field.name not in ("by", *way.options) and getattr(self, field.name) != field.default:
                reads = f"it reads {', '.join(way.options)}" if way.options else "it reads no options"
                raise UserError(f"method: by {self.by} has no {field.name}; leave it out, {reads}")
        for key in ("above", "at_most"):
            check_threshold(f"method: {key}", getattr(self, key))
        for key, known in (("order", ORDERS), ("objective", OBJECTIVES)):
            if getattr(self, key) is not None:
                check_choice(f"method: {key}", getattr(self, key), known)
        check_choice("method: optimiser", self.optimiser, OPTIMISERS)
        check_choice("method: saturated", self.saturated, SATURATED)
        if way.end == "ask" and self.order is None and self.above is None and self.at_most is None:
            if "above" in way.options:
                raise UserError(f"method: by {self.by} needs above, at_most or order; give one")
            raise UserError(f"method: by {self.by} needs an order; give highest or lowest")

    @property
    def end(self) -> str:
        """Return the end of the scores that is taken, highest or lowest."""
        return self.order or {"lowest": "lowest"}.get(str(way_of(self.by).end), "highest")

    @property
    def random(self) -> bool:
        """Return whether another seed gives another choice."""
        return way_of(self.by).random or self.optimiser == "stochastic"

    @property
    def nested(self) -> bool:
        """Return whether the first n of a larger choice are the choice of n.

        Stochastic greedy looks at fewer candidates the larger the budget; a threshold knows no sizes.
        """
        return way_of(self.by).nested and not self.random and not self.by_threshold

    @property
    def by_threshold(self) -> bool:
        """Return whether the size follows from a threshold, not from the share that is asked for."""
        return self.order is None and (self.above is not None or self.at_most is not None)


def check_threshold(key: str, value: Any) -> None:
    """Raise `UserError` unless `value` is None or a number in [0, 1], as golden scores are."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise UserError(f"{key}: threshold {value} is outside [0, 1], where golden scores lie; correct it")


@dataclasses.dataclass(frozen=True)
class Sources:
    """What a method chooses from.

    pool: the file of its rows, for messages and for ways that read texts; ids: of its rows. draws: the name under which
    random numbers are drawn, the paper's. materials: {key of MATERIALS, or `reference_kernel`: path, for
    `goal_embeddings` several, for `truth` {id: whether it is good}}, None where the command line names none. flags: the
    flag that names each. stage: DELIFT's.
    """

    pool: str
    ids: tuple[str, ...]
    draws: str
    materials: Mapping[str, Any]
    flags: Mapping[str, str]
    stage: int = 1
    threads: int = 1

    def need(self, material: str, by: str) -> Any:
        """Return a material. Raises `UserError` if the command line does not name it or this command takes none."""
        value = self.materials.get(material)
        if value is None and material not in self.flags:
            raise UserError(f"method: by {by} needs {material.replace('_', ' ')}, which this command does not take")
        if value is None:
            raise UserError(f"method: by {by} needs {self.flags[material]}; give it")
        return value


@dataclasses.dataclass(frozen=True)
class Choice:
    """Rows of the pool in the order chosen, and what each added to the objective (greedy ways only)."""

    rows: tuple[int, ...]
    gains: tuple[float, ...] | None = None

    def first(self, n: int) -> Choice:
        """Return the choice of the first `n`."""
        return Choice(self.rows[:n], self.gains and self.gains[:n])
