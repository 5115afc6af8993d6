"""The tables and figures of DELIFT; most numbers are inferred from public reviews and the released code."""

from __future__ import annotations

from scripts.common.artifact_list import Artifact

ARTIFACTS = (
    Artifact("table_1", "Table 1: stage 1 on MixInstruct.", "tabulate_artifact", "Table 1"),
    Artifact("table_2", "Table 2: stage 1 on P3.", "tabulate_artifact", "Table 2", certain=False),
    Artifact("table_3", "Table 3: stage 2, HotpotQA for MMLU.", "tabulate_artifact", "Table 3", certain=False),
    Artifact(
        "table_4",
        "Table 4: stage 2, MixInstruct for MT-Bench and GSM8K.",
        "tabulate_artifact",
        "Table 4",
        certain=False,
    ),
    Artifact(
        "table_5",
        "Table 5: stage 3, Government beside IBM (private data).",
        "tabulate_artifact",
        "Table 5",
        certain=False,
    ),
    Artifact("table_6", "Table 6: stage 3, HotpotQA beside SQuAD.", "tabulate_artifact", "Table 6", certain=False),
    Artifact(
        "table_fft",
        "Full fine-tuning (third version of the paper).",
        "tabulate_artifact",
        "a table of version 3",
        certain=False,
    ),
    Artifact(
        "table_time",
        "Wall-clock time of choosing, by method (third version of the paper).",
        "tabulate_time",
        "a table of version 3",
        certain=False,
    ),
    Artifact(
        "table_selection_quality",
        "Beyond the paper: what each method chooses, held against what is known of the pool.",
        "tabulate_artifact",
    ),
    Artifact(
        "figure_subset_size",
        "How the result grows with the size of the subset, for every method.",
        "plot_subset_size",
        "a figure of the ablations",
        certain=False,
    ),
    Artifact(
        "figure_laj",
        "The distribution of the judge's grades, for every method.",
        "plot_judge_scores",
        "a figure of the appendix",
        certain=False,
    ),
    Artifact(
        "figure_stages",
        "Beyond the paper: what each subset is worth in each stage, with intervals over seeds.",
        "plot_stages",
    ),
)
