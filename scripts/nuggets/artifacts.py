"""The tables and figures of NUGGETS. Tables 1 to 3 and the score curve are images in the authors' repository."""

from __future__ import annotations

from scripts.common.artifact_list import Artifact

ARTIFACTS = (
    Artifact(
        "table_1",
        "Table 1: AlpacaEval win rate by group, answer length, size of each subset.",
        "tabulate_artifact",
        "Table 1",
    ),
    Artifact("table_2", "Table 2: MT-Bench grade by category.", "tabulate_artifact", "Table 2"),
    Artifact("table_3", "Table 3: AlpacaEval win rate by anchor set and threshold.", "tabulate_artifact", "Table 3"),
    Artifact(
        "table_baselines",
        "Beyond the paper: NUGGETS beside perplexity, IFD, length, k-center and random subsets of equal size.",
        "tabulate_artifact",
    ),
    Artifact(
        "table_selection_quality",
        "Beyond the paper: how well each score separates known good from known bad examples.",
        "tabulate_artifact",
    ),
    Artifact(
        "table_racing", "Beyond the paper: anchor evaluations that exact early stopping saves.", "tabulate_artifact"
    ),
    Artifact(
        "table_released",
        "Beyond the paper: our scores of a pool beside the released golden scores and the answers' length.",
        "tabulate_released",
    ),
    Artifact(
        "table_released_counts",
        "The released golden scores: how they are spread, and counts at the thresholds beside the published ones.",
        "tabulate_artifact",
        "the score curve in numbers",
        certain=False,
        data_alone=True,
    ),
    Artifact(
        "table_cases",
        "The case table: the examples with the highest and the lowest golden scores.",
        "tabulate_cases",
        "the case figure in words",
        certain=False,
    ),
    Artifact(
        "figure_scores",
        "The score curve: golden scores in ascending order and the examples below each threshold.",
        "plot_scores",
        "a figure (the score curve)",
        certain=False,
    ),
    Artifact(
        "figure_released",
        "Beyond the paper: our golden scores by the released label, at equal length, and by the number of anchors.",
        "plot_released",
    ),
    Artifact(
        "figure_pairwise",
        "The pairwise figure: wins, ties and losses of each subset against the full pool.",
        "plot_pairwise",
        "a figure (the pairwise comparison)",
        certain=False,
    ),
    Artifact(
        "figure_cases",
        "The case figure: the highest and the lowest scored examples.",
        "plot_cases",
        "a figure (the cases)",
        certain=False,
    ),
    Artifact(
        "figure_selection_quality",
        "Beyond the paper: ROC curves of the scores, and exact match after training on each subset.",
        "plot_selection_quality",
    ),
    Artifact(
        "figure_anchor_sizes",
        "Beyond the paper: how many anchors the golden score needs.",
        "plot_anchor_sizes",
        "an ablation of a later version",
        certain=False,
    ),
)
