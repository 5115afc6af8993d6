"""Settings of the pool that is mixed of several data sets."""

from __future__ import annotations

from typing import Annotated, Any, Iterator, Mapping

from scripts.common.fields import Settings, setting


class MixedPart(Settings):
    """What one source gives."""

    source: str = setting("what its rows are called", pattern="^[a-z0-9_]+$")
    dataset: str = setting("a row of config/datasets.yaml with schema instruction", min_length=1)
    splits: list[Annotated[str, setting("a split of that data set", min_length=1)]] = setting(
        "splits from whose rows together is drawn",
        min_length=1,
        unique=True,
    )
    rows: int = setting("rows drawn for the pool", unit="rows", ge=1)


class MixedPool(Settings):
    """A pool mixed of several data sets, and a goal: further rows of one of them (scripts/data/mixing.py)."""

    parts: list[MixedPart] = setting("the sources", min_length=2)
    goal: str = setting("source of the query set, validation and test rows", min_length=1)
    most_letters: int | None = setting(
        "rows with more in instruction, input and output together are left out; null leaves out none",
        unit="letters",
        ge=1,
    )
    query_size: int = setting("rows of the query set", unit="rows", ge=1)
    validation_size: int = setting("validation rows", unit="rows", ge=1)
    test_size: int = setting("test rows", unit="rows", ge=1)

    def misfits(self) -> Iterator[str]:
        """Yield what is wrong with the names of the sources."""
        names = [part.source for part in self.parts]
        for place, name in enumerate(names):
            if name in names[:place]:
                yield f"parts: source '{name}' stands there twice; give one part several splits instead"
        if self.goal not in names:
            yield f"goal: '{self.goal}' is none of the sources {', '.join(names)}; choose one"


class MixSettings(MixedPool):
    """Settings of `scripts.data.mix_sources`."""

    seed: int = setting("seed of the drawn rows and of their order", ge=0)

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a config holds for them."""
        return cls.kept(config["mixed_pool"], config["data"])
