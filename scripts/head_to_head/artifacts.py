"""The tables and figures of the head-to-head; no paper has them."""

from __future__ import annotations

from scripts.common.artifact_list import Artifact

ARTIFACTS = (
    Artifact(
        "table_selection",
        "Methods that choose training data: what each reaches at each size, and the operations of choosing.",
        "tabulate_artifact",
    ),
    Artifact(
        "table_demonstrations",
        "Ways to show a model demonstrations: accuracy, and the operations of training, preparing and asking.",
        "tabulate_artifact",
    ),
    Artifact("table_time", "Seconds of choosing, by method, as measured in this run.", "tabulate_time"),
    Artifact(
        "table_time_demonstrations",
        "Seconds of answering behind each kind of demonstrations, as measured in this run.",
        "tabulate_time",
    ),
    Artifact(
        "figure_selection",
        "Methods that choose training data: result against the operations of choosing, a panel for each size.",
        "plot_costs",
    ),
    Artifact(
        "figure_demonstrations",
        "Ways to show a model demonstrations: accuracy against the operations of a question, and of all with training.",
        "plot_costs",
    ),
    Artifact("figure_time", "Both halves of the head-to-head against the seconds measured in this run.", "plot_times"),
)
