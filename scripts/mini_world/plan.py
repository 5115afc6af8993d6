"""What is shown of the shipped small models, and what has to be measured for it."""

from __future__ import annotations

import dataclasses
from typing import Any, Mapping, Sequence

from scripts.common.artifact_list import Needs

IN_CONTEXT, AUTHORS = "labels_in_context", "authors_and_instructions"
"""What is measured of the causal model, a file and an experiment each."""
SHOWN = {"figure_in_context": IN_CONTEXT, "figure_authors": AUTHORS, "table_models": IN_CONTEXT}
MEASURED = "<results>/mini_world/measured"
MINI_DISTILLERS = ["distiller", "distiller_lm"]  # stage 1 of MEND
MINI_MODELS = ["causal", "small", "encoder", "t5", "t5_small", *MINI_DISTILLERS]


@dataclasses.dataclass(frozen=True)
class Plan:
    """What the page on the shipped models is made from; no setting changes it, and all of it is here already."""

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Plan:
        """Return the plan of a merged config."""
        return cls()

    def needs(self, artifact: str) -> Needs:
        """Return what a table or figure is made from: measured values, and the models' cards."""
        cards = [f"resources/mini/{name}/card.json" for name in MINI_MODELS]
        return Needs((f"{MEASURED}/{SHOWN[artifact]}.csv",), {"cards": cards} if artifact == "table_models" else {})

    def settings(self, artifact: str) -> dict[str, Any]:
        """Return the settings of the step that makes a table or figure: it has none."""
        return {}

    def measured(self) -> list[str]:
        """Return every file of measured values."""
        return [f"{MEASURED}/{name}.csv" for name in (IN_CONTEXT, AUTHORS)]

    def raw_files(self, datasets: Mapping[str, dict[str, Any]]) -> Sequence[tuple[str, str]]:
        """Return (dataset, split) of every raw file that is read: none."""
        return []

    def models(self) -> list[str]:
        """Return the names of the registered models that are loaded: none, the shipped ones have no row to fetch."""
        return []
