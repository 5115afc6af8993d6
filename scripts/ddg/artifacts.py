"""The tables and figures of DDG and DiLM.

Tables 1 to 8 are DiLM's (NAACL Findings 2024). The body of DDG (IJCAI 2025) was not readable: what stands for its
tables is named by content.
"""

from __future__ import annotations

from scripts.common.artifact_list import Artifact

ARTIFACTS = (
    Artifact(
        "table_1",
        "DiLM's Table 1: learners trained on each method's sets, by task and texts a class.",
        "tabulate_artifact",
        "Table 1 of DiLM",
    ),
    Artifact(
        "table_2",
        "DiLM's Table 2: the sets read by other learners, the largest size.",
        "tabulate_artifact",
        "Table 2 of DiLM",
    ),
    Artifact(
        "table_3",
        "DiLM's Table 3: the sets as demonstrations, DiLM's own scorer.",
        "tabulate_artifact",
        "Table 3 of DiLM",
    ),
    Artifact(
        "table_4",
        "DiLM's Table 4: without representative teacher, diverse mini-batches, selection.",
        "tabulate_artifact",
        "Table 4 of DiLM",
    ),
    Artifact(
        "table_7",
        "DiLM's Table 7: the sets read by other learners, the smallest size.",
        "tabulate_artifact",
        "Table 7 of DiLM",
    ),
    Artifact(
        "table_8",
        "DiLM's Table 8: the sets read by other learners, the middle size.",
        "tabulate_artifact",
        "Table 8 of DiLM",
    ),
    Artifact(
        "table_main",
        "DDG's main table: demonstrations of every method in the prompts of language models, short texts.",
        "tabulate_artifact",
        "a table of DDG",
        certain=False,
    ),
    Artifact(
        "table_long",
        "DDG's table on many classes: accuracy by rounds.",
        "tabulate_artifact",
        "a table of DDG",
        certain=False,
    ),
    Artifact(
        "table_ablation",
        "DDG's ablation: teacher, representative teacher, mini-batches, selection, in both evaluations.",
        "tabulate_artifact",
        "a table of DDG",
        certain=False,
    ),
    Artifact(
        "table_paired",
        "Beyond the papers: differences between methods, paired over seeds.",
        "tabulate_artifact",
    ),
    Artifact(
        "table_examples",
        "DDG's examples: texts that the generator wrote for each class.",
        "tabulate_examples",
        "a table of DDG",
        certain=False,
        env="data",  # sets may be parquet
    ),
    Artifact(
        "figure_sensitivity",
        "DDG's sensitivity: accuracy by number of demonstrations, decay of the teacher and temperature.",
        "plot_sensitivity",
        "a figure of DDG",
        certain=False,
    ),
    Artifact(
        "figure_training",
        "DDG's training curve: gradient matching, the generator's loss on real texts, and how varied its texts are.",
        "plot_training",
        "a figure of DDG",
        certain=False,
    ),
)
