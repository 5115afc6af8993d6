"""What the made-up paper measures: the answers of each dataset."""

from __future__ import annotations

import dataclasses
from typing import Any, Mapping, Sequence

from scripts.common.artifact_list import Needs


@dataclasses.dataclass(frozen=True)
class Plan:
    """datasets: those whose answers are measured."""

    datasets: Sequence[str]

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Plan:
        """Return the plan of a merged config."""
        return cls(config["lengths"]["datasets"])

    def needs(self, artifact: str) -> Needs:
        """Return what a table is made from."""
        return Needs(tuple(f"<results>/lengths/measured/{name}.csv" for name in self.datasets))

    def settings(self, artifact: str) -> dict[str, Any]:
        """Return the settings of the step that makes the table."""
        return {}

    def measured(self) -> list[str]:
        """Return every file of measured values."""
        return list(self.needs("table_1").measured)

    def raw_files(self, datasets: Mapping[str, dict[str, Any]]) -> list[tuple[str, str]]:
        """Return (dataset, split) of every raw file that is read."""
        return [(name, "train") for name in self.datasets]

    def models(self) -> list[str]:
        """Return the models that are loaded: none."""
        return []
