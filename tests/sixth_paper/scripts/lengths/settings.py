"""Settings of the made-up sixth paper."""

from __future__ import annotations

from typing import Annotated, Literal

from scripts.common.fields import Settings, setting


class Lengths(Settings):
    """A made-up sixth paper: how long answers are."""

    datasets: list[Annotated[str, setting("a dataset", registry="datasets")]] = setting(
        "instruction data whose answers are measured", min_length=1
    )
    unit: Literal["words", "characters"] = setting("what is counted")


SECTIONS = {"lengths": Lengths}
