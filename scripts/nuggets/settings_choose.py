"""Settings of choosing in NUGGETS: pool, anchors, scores, methods."""

from __future__ import annotations

from typing import Literal

from scripts.common.fields import Settings, optional, setting


class Sample(Settings):
    """How rows are drawn from a pool whose good or bad rows are listed (not in the paper)."""

    even: bool = setting("half of the rows good, half bad")
    held_out: int = setting("rows set aside as questions", unit="rows", ge=0)


class AnchorSet(Settings):
    """One set of anchors."""

    by: Literal["kmeans", "random", "given"] = setting(
        "how anchors are drawn; given takes the anchor dataset as it is",
        source="NUGGETS, section 3.4",
    )
    n: int | None = setting("number of anchors; null with given", source="NUGGETS: 100 and 1,000", ge=1)


class Method(Settings):
    """How one subset of the pool is chosen."""

    by: str = setting(
        "what the choice goes by, one of the registry of ways to choose; none: no fine-tuning, all: the whole pool",
        source="NUGGETS, section 3.3; perplexity, ifd, length, k_center are not in the paper",
        named="ways_of_nuggets",
    )
    above: float = optional(
        "golden score, share of anchors that the example helps with, above which an example is chosen, 0 to 1",
        unit="share, 0 to 1",
        ge=0,
        le=1,
    )
    at_most: float = optional(
        "golden score, share of anchors that the example helps with, up to which an example is chosen, 0 to 1",
        unit="share, 0 to 1",
        ge=0,
        le=1,
    )
    order: Literal["highest", "lowest"] = optional("which end of the order fills the subset of nuggets.subset_fraction")
