"""What a paper declares: its tables and figures in one list, and what each of them needs.

`scripts/<paper>/artifacts.py` holds the list, `ARTIFACTS`; `scripts/<paper>/plan.py` the class `Plan`, which says for
each of them what has to be measured. The rules, the report and the download ask these two and nobody else.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Iterable, Mapping, Protocol, Sequence

SUFFIXES = {"table": ("csv", "md", "tex"), "figure": ("csv", "png", "pdf")}


@dataclasses.dataclass(frozen=True)
class Artifact:
    """One table or figure of a paper.

    name: table_... or figure_...; title: what it shows, one sentence, the text of its rule; step: the module below
    `scripts/<paper>/` that builds it; where: its number in the paper, None if the paper has no such thing; certain: the
    number was seen, in the paper or in what its authors published with it, and not inferred from reviews and code;
    data_alone: its published values can be checked from released data, without a model; env: the file below `envs/`
    with the packages of its step.
    """

    name: str
    title: str
    step: str
    where: str | None = None
    certain: bool = True
    data_alone: bool = False
    env: str = "report"

    def __post_init__(self) -> None:
        if self.kind not in SUFFIXES:
            raise ValueError(f"artifact '{self.name}': a name begins with table_ or figure_")
        if self.where is None and not self.certain:
            raise ValueError(f"artifact '{self.name}': what is in no paper has no uncertain number")

    @property
    def kind(self) -> str:
        """Return "table" or "figure"."""
        return self.name.partition("_")[0]


@dataclasses.dataclass(frozen=True)
class Needs:
    """What a table or figure is made from, as paths with `<results>` in them.

    measured: files of measured values (`scripts.common.metrics`); files: {name of the step's flag: any other file, or
    a list of files}.
    """

    measured: tuple[str, ...] = ()
    files: Mapping[str, str | Sequence[str]] = dataclasses.field(default_factory=dict)


class Plan(Protocol):
    """What the rules ask of a paper's plan; it is made by `Plan.of(config)`.

    A plan may have `downloads() -> list[str]` too: what comes over the network besides registered data and models.
    """

    def needs(self, artifact: str) -> Needs:
        """Return what a table or figure is made from."""

    def settings(self, artifact: str) -> dict[str, Any]:
        """Return the settings of the step that makes a table or figure; only what that one shows."""

    def measured(self) -> list[str]:
        """Return every file of measured values that the tier plans."""

    def raw_files(self, datasets: Mapping[str, dict[str, Any]]) -> list[tuple[str, str]]:
        """Return (dataset, split) of every raw file that is read. datasets: the registry."""

    def models(self) -> list[str]:
        """Return the names of the models that are loaded."""


@dataclasses.dataclass(frozen=True)
class Paper:
    """A paper's list and its plan."""

    artifacts: Sequence[Artifact]
    plan: Plan

    def faults(self) -> list[str]:
        """Return what the plan finds wrong with the settings, one line each, if it looks for that (`Plan.faults`)."""
        return list(getattr(self.plan, "faults", tuple)())

    def pages(self) -> list[str]:
        """Return further files that <paper>_all makes, an interactive page, if the plan has any (`Plan.pages`)."""
        return list(getattr(self.plan, "pages", tuple)())

    def downloads(self) -> list[str]:
        """Return what else comes over the network, if the plan has anything of that kind (`Plan.downloads`)."""
        return list(getattr(self.plan, "downloads", tuple)())


def unique(entries: Iterable[str]) -> list[str]:
    """Return the entries in their order, each once."""
    return list(dict.fromkeys(entries))
