"""Settings of DELIFT's data: pairs of data sets."""

from __future__ import annotations

from typing import Literal

from scripts.common.fields import Settings, Share, optional, setting


class Part(Settings):
    """A part of a data set."""

    dataset: str = setting(
        "a row of config/datasets.yaml with schema instruction, or an entry of a file of delift.registries",
        min_length=1,
    )
    split: str = setting("split of that dataset", min_length=1)
    from_: Share = setting(
        "where the part begins, as a share of the split's rows in their order",
        source="released code: 70/20/10 of a single split",
        alias="from",
    )
    to: Share = setting("where the part ends, as a share of the split's rows")


class Rows(Settings):
    """Rows of pool and reference set after the cut, before delift.limits: the kernel's jobs are planned by them."""

    pool: int = setting("rows", unit="rows", ge=1)
    reference: int = setting("rows, 0 without a reference set", unit="rows", ge=0)


class Truth(Settings):
    """Known quality of the pool's rows."""

    dataset: str = setting("a row of config/datasets.yaml with schema pool_truth", min_length=1)
    split: str = setting("its split about the pool", min_length=1)
    reference_split: str | None = setting("its split about the reference set, null without one", min_length=1)
    good: str | None = optional("what its good rows are, for the head to head's table; right if left out", min_length=1)


class Pair(Settings):
    """A pair of data sets: what is chosen from, and for what."""

    stage: Literal[1, 2, 3] = setting(
        "1 instruction tuning, 2 for a benchmark, 3 continual",
        source="DELIFT, section 3",
    )
    pool: Part = setting("examples to choose from")
    reference: Part | None = setting("stage 2: the benchmark's examples; stage 3: the data at hand; null in stage 1")
    validation: Part = setting("examples that guide the baselines")
    test: Part = setting("examples on which the result is measured")
    rows: Rows
    truth: Truth | None = setting("known quality of the pool's rows, synthetic or mixed pools only, else null")
    scale: Literal["own", "joint"] = setting(
        "min-max scaling of the kernels of pool and reference set, each by its own extremes (released code) or "
        "both by common ones",
    )
    targets: Literal["pool", "validation", "reference"] = setting(
        "whose answers an example should help, the rows of the kernel: the pool's (paper), the validation set's "
        "(released code) or the reference set's",
    )
    learn_reference: bool = setting(
        "the model learns the reference set beside each subset, so that it knows the data at hand (stage 3)",
    )
    private: str | None = setting("why the pair cannot be run (data that are not public), null if it can", min_length=1)


class Limits(Settings):
    """Rows drawn at random from each part; null takes all (the kernel's cost is pool x targets)."""

    pool: int | None = setting("rows of the pool set at most", unit="rows", ge=1)
    reference: int | None = setting("rows of the reference set at most", unit="rows", ge=1)
    validation: int | None = setting("rows of the validation set at most", unit="rows", ge=1)
    test: int | None = setting("rows of the test set at most", unit="rows", ge=1)
