"""Tables and figures from what docs/ keeps of a run: nothing is computed, and what is not kept is left out."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.artifact_list import Needs, Paper, Plan

RESULTS = "<results>"
REASONS = "missing.csv"
"""Name of a paper's file of reasons why values are missing: it has no values."""


@dataclasses.dataclass(frozen=True)
class KeptPlan:
    """A plan whose files lie in `folder` under the names that they have in the results, so far as they are there."""

    plan: Plan
    folder: Path

    def _kept(self, path: str) -> str:
        return path.replace(RESULTS, str(self.folder), 1)

    def _there(self, paths: Sequence[str]) -> list[str]:
        return [path for path in map(self._kept, paths) if Path(path).exists()]

    def has(self, artifact: str) -> bool:
        """Return whether a table or figure can be made: some of its values are kept, and every other file of it.

        One that is made from settings alone, such as a table of hyper-parameters, is no result and left out.
        """
        needs = self.plan.needs(artifact)
        files = [path for paths in needs.files.values() for path in ([paths] if isinstance(paths, str) else paths)]
        values = [path for path in needs.measured if Path(path).name != REASONS]
        return (
            bool(files or values)
            and len(self._there(files)) == len(files)
            and (not values or bool(self._there(values)))
        )

    def needs(self, artifact: str) -> Needs:
        """Return what is kept of a table's or figure's files; a cell without its value says so."""
        needs = self.plan.needs(artifact)
        files = {
            flag: self._kept(paths) if isinstance(paths, str) else list(map(self._kept, paths))
            for flag, paths in needs.files.items()
        }
        return Needs(tuple(self._there(needs.measured)), files)

    def settings(self, artifact: str) -> dict[str, Any]:
        """Return the settings of the step that makes a table or figure."""
        return self.plan.settings(artifact)

    def measured(self) -> list[str]:
        """Return every kept file of measured values."""
        return self._there(self.plan.measured())

    def raw_files(self, datasets: Mapping[str, dict[str, Any]]) -> list[tuple[str, str]]:
        """Return no data: none are read."""
        return []

    def models(self) -> list[str]:
        """Return no model: none is loaded."""
        return []


def kept_paper(paper: Paper, folder: Path) -> Paper:
    """Return a paper with those of its tables and figures that can be made from what `folder` keeps."""
    plan = KeptPlan(paper.plan, folder)
    return Paper([artifact for artifact in paper.artifacts if plan.has(artifact.name)], plan)
