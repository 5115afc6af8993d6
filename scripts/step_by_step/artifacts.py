"""The tables and figures of Distilling Step-by-Step; their numbers are inferred from public summaries and the code."""

from __future__ import annotations

from scripts.common.artifact_list import Artifact

ARTIFACTS = (
    Artifact("table_1", "Table 1: where the rationales come from.", "tabulate_artifact", "Table 1", certain=False),
    Artifact("table_2", "Table 2: ways of training with rationales.", "tabulate_artifact", "Table 2", certain=False),
    Artifact(
        "table_3",
        "Table 3: sizes of the data sets.",
        "tabulate_artifact",
        "Table 3",
        certain=False,
        data_alone=True,
    ),
    Artifact(
        "table_teachers",
        "Beyond the paper: how often each teacher is right, and how often its answers can be read.",
        "tabulate_artifact",
        data_alone=True,
    ),
    Artifact(
        "figure_4",
        "Figure 4: accuracy against the share of training rows, gold labels.",
        "plot_shares",
        "Figure 4",
        certain=False,
    ),
    Artifact(
        "figure_5",
        "Figure 5: accuracy against the share of training rows, the teacher's labels.",
        "plot_shares",
        "Figure 5",
        certain=False,
    ),
    Artifact(
        "figure_6",
        "Figure 6: accuracy against the size of the student, gold labels.",
        "plot_sizes",
        "Figure 6",
        certain=False,
    ),
    Artifact(
        "figure_7",
        "Figure 7: accuracy against the size of the student, the teacher's labels.",
        "plot_sizes",
        "Figure 7",
        certain=False,
    ),
    Artifact(
        "figure_8",
        "Figure 8: accuracy by share of training rows and size of the student beside the teacher's, gold labels.",
        "plot_minimum",
        "Figure 8",
        certain=False,
    ),
    Artifact(
        "figure_9",
        "Figure 9: accuracy by share of training rows and size of the student beside the teacher's, its labels.",
        "plot_minimum",
        "Figure 9",
        certain=False,
    ),
)
