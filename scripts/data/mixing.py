"""A pool mixed of several data sets: of every row is known from which it comes, a truth that real data have.

The goal is one of the sources: query set, validation and test rows are further rows of it. A good choice for the goal
takes many rows of its source. No question stands twice, so nothing that is asked in the end can be chosen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping, Sequence

from scripts.common.errors import UserError
from scripts.data.mixed_sources import PARTS

if TYPE_CHECKING:
    from scripts.data.settings_mixed import MixSettings

TEXTS = ("instruction", "input", "output")


def drawn(
    rows: Sequence[Mapping[str, str]], sizes: Sequence[int], settings: MixSettings, source: str
) -> list[list[Any]]:
    """Return disjoint random samples of one source's rows, of the sizes asked for.

    rows: instruction rows. Of equal questions the first stays. Raises `UserError` if too few rows are left.
    """
    from scripts.common.seeding import generator

    limit = settings.most_letters
    first: dict[tuple[str, str], Mapping[str, str]] = {}
    for row in rows:
        if limit is None or sum(len(row[key]) for key in TEXTS) <= limit:
            first.setdefault((row["instruction"].strip(), row["input"].strip()), row)
    fit = list(first.values())
    if len(fit) < sum(sizes):
        raise UserError(
            f"mixed_pool: source '{source}' has {len(fit)} different rows of at most {limit} letters,"
            f" {sum(sizes)} are asked for; ask for fewer or raise mixed_pool.most_letters"
        )
    order = iter(generator(settings.seed, "mixed pool", source).permutation(len(fit)).tolist())
    return [[fit[next(order)] for _ in range(size)] for size in sizes]


def mix(rows: Mapping[str, Sequence[Mapping[str, str]]], settings: MixSettings) -> dict[str, list[dict[str, str]]]:
    """Return {part: its rows, each with id, the texts and its source}; the pool's sources stand in a random order.

    rows: {source: instruction rows, their ids different within a source}. Raises `UserError` as `drawn` does.
    """
    from scripts.common.seeding import generator

    found: dict[str, list[dict[str, str]]] = {part: [] for part in PARTS}
    asked = (settings.query_size, settings.validation_size, settings.test_size)
    for part in settings.parts:
        sizes = (part.rows, *(asked if part.source == settings.goal else ()))
        for name, sample in zip(PARTS, drawn(rows[part.source], sizes, settings, part.source)):
            found[name] += [
                {"id": f"{part.source} {row['id']}", **{key: row[key] for key in TEXTS}, "source": part.source}
                for row in sample
            ]
    order = generator(settings.seed, "mixed pool", "order").permutation(len(found["train"]))
    return {**found, "train": [found["train"][place] for place in order]}


def truth(rows: Sequence[Mapping[str, str]], goal: str) -> list[dict[str, Any]]:
    """Return what is known of rows, schema pool_truth: the source is the family, rows of the goal's source are good."""
    return [
        {
            "id": row["id"],
            "good": row["source"] == goal,
            "family": row["source"],
            "fault": "" if row["source"] == goal else "another source",
            "duplicate_of": "",
        }
        for row in rows
    ]
