"""The only table of the made-up paper."""

from __future__ import annotations

from scripts.common.artifact_list import Artifact

ARTIFACTS = (Artifact("table_1", "Table 1: mean length of the answers.", "tabulate_answers", "Table 1"),)
