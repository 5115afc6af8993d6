"""The tables and figures of MEND. The paper was not at hand: only Table 5's number was seen."""

from __future__ import annotations

from scripts.common.artifact_list import Artifact

ARTIFACTS = (
    Artifact(
        "table_2",
        "Table 2, the main comparison: every method in every setting, mean and standard deviation over seeds.",
        "tabulate_artifact",
        "Table 2",
        certain=False,
    ),
    Artifact(
        "table_3",
        "Perturbed demonstrations: without inputs, without labels, with random and with wrong labels.",
        "tabulate_artifact",
        "Table 3",
        certain=False,
    ),
    Artifact(
        "table_4",
        "Ablation: stages left out, other losses in either stage.",
        "tabulate_artifact",
        "Table 4",
        certain=False,
    ),
    Artifact(
        "table_5",
        "Hyper-parameters of the runs.",
        "tabulate_artifact",
        "Table 5",  # named so in the reproducibility card
    ),
    Artifact(
        "table_efficiency",
        "Operations and memory of preparing and of asking, caching on and off, and from how many queries on MEND pays.",
        "tabulate_artifact",
    ),
    Artifact(
        "table_separators",
        "Beyond the paper: other ways of joining demonstrations than the one trained with.",
        "tabulate_artifact",
    ),
    Artifact(
        "table_unseen_labels",
        "Beyond the paper: queries whose label is, or is not, among the demonstrations' labels.",
        "tabulate_artifact",
    ),
    Artifact(
        "table_paired",
        "Beyond the paper: MEND against each other method, paired over the demonstrations' seeds, with 95 % intervals.",
        "tabulate_artifact",
    ),
    Artifact(
        "table_timing",
        "Measured seconds of preparing and of asking; they vary from run to run.",
        "tabulate_artifact",
    ),
    Artifact(
        "figure_3",
        "Figure 3, efficiency: operations and memory of each method over the number of demonstrations.",
        "plot_efficiency",
        "Figure 3",
        certain=False,
    ),
    Artifact(
        "figure_4",
        "Figure 4, score against the demonstration distillation ratio, by demonstrations (a) and by vectors (b).",
        "plot_ratio",
        "Figure 4",
        certain=False,
    ),
    Artifact(
        "figure_5",
        "Attention of the language model on distilled vectors, demonstrations and query, layer by layer.",
        "plot_attention",
        "Figure 5",
        certain=False,
    ),
    Artifact(
        "figure_lambda",
        "Beyond the paper: score against lambda, the weight of distillation in stage 2.",
        "plot_lambda",
    ),
    Artifact(
        "figure_timing",
        "Measured seconds of each method over the number of demonstrations; they vary from run to run.",
        "plot_timing",
    ),
)
