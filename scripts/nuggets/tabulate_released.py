"""Write the table of our scores beside the released golden scores of the same rows (beyond the paper)."""

from __future__ import annotations

from typing import Sequence

from scripts.common.artifacts import Table, table_step
from scripts.common.errors import run_step
from scripts.common.measured import Measured
from scripts.common.tables import Cell, Column, Missing
from scripts.nuggets.benchmarks import SCORES, experiment
from scripts.nuggets.comparison import Comparison
from scripts.nuggets.golden_files import effect_notes

VALUES = (
    ("label", "auc", "AUC, label"),
    ("equal_length", "auc", "AUC at equal length"),
    ("top_fifth", "share_good", "Good in the top fifth"),
    ("bottom_fifth", "share_bad", "Bad in the bottom fifth"),
    ("released_score", "spearman", "Rank correlation, released scores"),
    ("equal_length", "spearman", "Rank correlation with the label, length fixed"),
)
"""Columns: setting, metric, header."""


def table_released(measured: Measured, settings: Comparison) -> Table:
    """Return one row per score: each value and the interval behind it."""
    name = experiment("released", settings.anchors)
    columns = [Column("score", "Score")]
    for setting, metric, header in VALUES:
        columns.append(Column(f"{setting}_{metric}", header, "number"))
        columns.append(Column(f"{setting}_{metric}_interval", "95 %"))
    rows: list[dict[str, Cell]] = []
    for score, (_, label) in SCORES.items():
        row: dict[str, Cell] = {"score": label}
        for setting, metric, _ in VALUES:
            own = setting == "equal_length" and score == "length"
            value = measured.number(setting, score, metric, experiment=name)
            row[f"{setting}_{metric}"] = Missing("Length has no value at equal length.") if own else value
            ends = [measured.number(setting, score, f"{metric}_{end}", experiment=name) for end in ("low", "high")]
            known = [end for end in ends if not isinstance(end, Missing)]
            row[f"{setting}_{metric}_interval"] = f"{known[0]:.2f} to {known[1]:.2f}" if len(known) == 2 else ""
        rows.append(row)
    caption = f"Scores of {settings.dataset} by {settings.model} beside the released golden scores (LLaMA-7B)"
    return Table(rows, columns, caption, notes(measured))


def notes(measured: Measured) -> list[str]:
    """Say what the label is, of how many rows each column is, and how the intervals were made."""
    total, released = measured.count("label", "auc"), measured.count("released_score", "spearman")
    if not total:
        return []
    return [
        f"Label: whether a row stands among the released low scores; of {total} scored rows."
        f" Released scores are known of {released or 0} of them, the low ones.",
        "At equal length: good and bad rows are compared within fifths of equal answer length only."
        " Intervals: percentiles over resampled rows.",
        *effect_notes(measured.rows),
    ]


def main(argv: Sequence[str] | None = None) -> None:
    """Write the table."""
    table_step(argv, __doc__, {"table_released": table_released}, Comparison)


if __name__ == "__main__":
    run_step(main)
