"""The table and the figures of the shipped small models; they stand in no paper."""

from __future__ import annotations

from scripts.common.artifact_list import Artifact

ARTIFACTS = (
    Artifact("table_models", "The shipped models: sizes, training, losses, accuracy in context.", "tabulate_models"),
    Artifact(
        "figure_in_context",
        "Accuracy of naming hidden labels against the number of demonstrations, and over rounds of 20 classes.",
        "plot_in_context",
    ),
    Artifact(
        "figure_authors",
        "How well careful and careless authors are told apart, and neutral instructions understood from one example.",
        "plot_authors",
    ),
)
