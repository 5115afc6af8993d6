"""Settings of choosing in NUGGETS: pool, anchors, scores, methods."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Mapping

from scripts.common.config_settings import DataSeed
from scripts.common.fields import Settings, Share, optional, setting

PoolLimit = Annotated[
    int | None,
    setting(
        "examples of a random sub-sample of the pool; null takes all", source="NUGGETS: all", unit="examples", ge=1
    ),
]


class Sample(Settings):
    """How rows are drawn from a pool whose good or bad rows are listed (not in the paper)."""

    even: bool = setting("half of the rows good, half bad")
    held_out: int = setting("rows set aside as questions", unit="rows", ge=0)


class MarkSettings(Sample):
    """Settings of `scripts.nuggets.mark_pool`."""

    form: Literal["good_rows", "bad_rows"] = setting("whether the list names the pool's good or bad rows")
    limit: PoolLimit
    seed: DataSeed

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a config holds for them."""
        own = config["nuggets"]
        return cls.kept(config["data"], own, own["sample"], {"form": own["truth_form"]})


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
    above: Share = optional(
        "golden score, share of anchors that the example helps with, above which an example is chosen, 0 to 1",
    )
    at_most: Share = optional(
        "golden score, share of anchors that the example helps with, up to which an example is chosen, 0 to 1",
    )
    order: Literal["highest", "lowest"] = optional("which end of the order fills the subset of nuggets.subset_fraction")
