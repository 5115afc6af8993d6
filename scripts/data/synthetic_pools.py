"""Synthetic pools that put DELIFT's three claims to the test (DELIFT, section 3.2).

Every family of tasks is asked for with one neutral word ("apply gamma") whose meaning only the answers tell, so that a
model has to learn it from the chosen examples.
- stage 1, instruction tuning: all answers right, but a few crowded families repeat a few prototypes over and over;
- stage 2, task specific: a part of the pool is careless; a clean query set asks for one or a few families;
- stage 3, continual: the data at hand cover some families, the new pool covers all.
Validation and test rows are right and never asked in a pool. Rows are in Alpaca's form, half of the inputs stand in the
instruction. What is known of each row (good, family, fault, the row it repeats) is written beside it.
"""

from __future__ import annotations

import dataclasses
import random
from typing import Any, Sequence

from scripts.common.errors import UserError, did_you_mean
from scripts.common.seeding import derive_seed
from scripts.data.synthetic import alpaca_row, careless
from scripts.data.synthetic_instructions import FAMILIES, Example, make_example
from scripts.data.synthetic_words import NEUTRAL, World

STAGES = (1, 2, 3)


@dataclasses.dataclass(frozen=True)
class PoolSettings:
    """Sizes and shares of the pools.

    families: the tasks, each with a neutral word of its own. pool_size: examples to choose from, in each stage.
    crowded_families, crowded_share, prototypes: stage 1: how many families, which share of the pool they fill together,
    and how many different questions each of them asks. careless_share: stage 2. query_families, query_size: what the
    query set asks for, and its examples. existing_families, existing_size: the same for the data at hand of stage 3.
    validation_size, test_size: examples of each stage; all families in turn, in stage 2 those of the query set.
    """

    families: Sequence[str]
    pool_size: int
    crowded_families: int
    crowded_share: float
    prototypes: int
    careless_share: float
    query_families: int
    query_size: int
    existing_families: int
    existing_size: int
    validation_size: int
    test_size: int

    def __post_init__(self) -> None:
        for family in self.families:
            if family not in FAMILIES:
                raise UserError(f"--settings: families: no family '{family}'{did_you_mean(family, list(FAMILIES))}")
        if len(set(self.families)) != len(self.families) or not 2 <= len(self.families) <= len(NEUTRAL):
            raise UserError(f"--settings: families: give 2 to {len(NEUTRAL)} different ones")
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name == "families":
                continue
            share = field.name.endswith("share")
            if isinstance(value, bool) or not isinstance(value, (int, float) if share else int):
                raise UserError(f"--settings: '{field.name}' is {value!r}; give a number")
            if (share and not 0 <= value <= 1) or (not share and value < 1):
                raise UserError(
                    f"--settings: '{field.name}' is {value}; give {'a share in 0..1' if share else '1 or more'}"
                )
        for name in ("crowded_families", "query_families", "existing_families"):
            if getattr(self, name) >= len(self.families):
                raise UserError(f"--settings: '{name}' leaves no other family; give less than {len(self.families)}")


@dataclasses.dataclass(frozen=True)
class Row:
    """An example of a pool; `source` is the first row of the same part that asks the same question, if any."""

    example: Example
    block: bool
    source: int | None = None


class Pools:
    """All parts of one stage, from a seed. `parts[name]` are the rows of a part in order."""

    def __init__(self, world: World, settings: PoolSettings, stage: int, seed: int) -> None:
        self.world, self.settings, self.stage = world, settings, stage
        self._seed = derive_seed(seed, "pools", stage)
        self._asked: set[Any] = set()
        rng = self._rng("families")
        self.families = rng.sample(list(settings.families), len(settings.families))
        self.words = dict(zip(self.families, rng.sample(NEUTRAL, len(self.families))))
        asked_for = self.families[: settings.query_families] if stage == 2 else self.families
        self.parts: dict[str, list[Row]] = {
            "validation": self._clean("validation", settings.validation_size, asked_for),
            "test": self._clean("test", settings.test_size, asked_for),
        }
        if stage == 1:
            self.parts["train"] = self._crowded()
        elif stage == 2:
            self.parts["query"] = self._clean("query", settings.query_size, asked_for)
            self.parts["train"] = self._partly_careless()
        else:
            known = self.families[: settings.existing_families]
            self.parts["existing"] = self._clean("existing", settings.existing_size, known)
            self.parts["train"] = self._clean("train", settings.pool_size, self.families)

    def _rng(self, name: str) -> random.Random:
        return random.Random(derive_seed(self._seed, name))

    def _new(self, family: str, rng: random.Random) -> Example:
        """Return a right example that no part of this stage asks yet."""
        for _ in range(10_000):
            example = make_example(self.world, family, rng, f"apply {self.words[family]}")
            if example.key not in self._asked:
                self._asked.add(example.key)
                return example
        raise UserError(f"--settings: family '{family}' has no new question left; ask for fewer rows")

    def _clean(self, name: str, size: int, families: Sequence[str]) -> list[Row]:
        """Return right examples of the families in turn, in random order."""
        rng = self._rng(name)
        rows = [Row(self._new(families[i % len(families)], rng), rng.random() < 0.5) for i in range(size)]
        rng.shuffle(rows)
        return rows

    def _crowded(self) -> list[Row]:
        """Return the pool of stage 1: some families repeat a few prototypes, the others are spread evenly."""
        settings, rng = self.settings, self._rng("train")
        crowded = self.families[: settings.crowded_families]
        others = self.families[settings.crowded_families :]
        n_crowded = round(settings.crowded_share * settings.pool_size)
        prototypes = [self._new(family, rng) for family in crowded for _ in range(settings.prototypes)]
        examples = [prototypes[i % len(prototypes)] for i in range(n_crowded)]
        examples += [self._new(others[i % len(others)], rng) for i in range(settings.pool_size - n_crowded)]
        rng.shuffle(examples)
        first: dict[Any, int] = {}
        rows = []
        for number, example in enumerate(examples):
            rows.append(Row(example, rng.random() < 0.5, first.get(example.key)))
            first.setdefault(example.key, number)
        return rows

    def _partly_careless(self) -> list[Row]:
        """Return the pool of stage 2: all families in turn, some of the answers spoiled."""
        rows = self._clean("train", self.settings.pool_size, self.families)
        rng = self._rng("faults")
        spoiled = set(rng.sample(range(len(rows)), round(self.settings.careless_share * len(rows))))
        return [
            Row(careless(self.world, row.example, rng), row.block) if number in spoiled else row
            for number, row in enumerate(rows)
        ]

    def rows(self, part: str) -> list[dict[str, str]]:
        """Return a part in Alpaca's form."""
        return [alpaca_row(row.example, block=row.block) for row in self.parts[part]]

    def truth(self, part: str) -> list[dict[str, Any]]:
        """Return what is known of each row of a part."""
        return [
            {
                "id": str(number),
                "good": row.example.fault is None,
                "family": row.example.family,
                "fault": row.example.fault or "",
                "duplicate_of": "" if row.source is None else str(row.source),
            }
            for number, row in enumerate(self.parts[part])
        ]
