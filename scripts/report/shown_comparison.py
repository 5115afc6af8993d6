"""How the page shows the comparison with published values: what was run first, the rest folded by paper.

Names are words here; the CSV keeps those of the measured values. Values that this project measured on released files
stand apart from those that a paper prints.
"""

from __future__ import annotations

import collections
import dataclasses
from typing import Any, Mapping, Sequence

from scripts.common.names import in_words, known
from scripts.common.tables import format_number
from scripts.report.manifest import anchor, artifact_title, paper_name, places_of
from scripts.report.shown_artifacts import STATUS_NAMES
from scripts.selection.methods import method_label

Rows = Sequence[Mapping[str, Any]]


@dataclasses.dataclass(frozen=True)
class Folded:
    """The values of one paper that were not compared: their rows, and in one line why."""

    name: str
    rows: list[Mapping[str, Any]]
    reason: str


@dataclasses.dataclass(frozen=True)
class ShownComparison:
    """The groups of the page. compared: values that a paper prints, with ours; own: values measured here before, with
    ours; folded: the rest, by paper.
    """

    compared: list[Mapping[str, Any]]
    own: list[Mapping[str, Any]]
    folded: list[Folded]


def method_words(method: str) -> str:
    """Return a method as the figures call it, in words where no figure draws it."""
    return in_words(method) if known(method) and method not in ("full", "all") else method_label(method)


def grouped(rows: Rows) -> ShownComparison:
    """Return the comparison's rows in the page's groups, each in the order given."""
    run = [row for row in rows if row["status"] != "not_run"]
    rest: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["status"] == "not_run":
            rest.setdefault(row["paper"], []).append(row)
    return ShownComparison(
        [row for row in run if row["origin"] == "paper"],
        [row for row in run if row["origin"] != "paper"],
        [Folded(paper_name(paper), members, one_reason(members)) for paper, members in rest.items()],
    )


def one_reason(rows: Rows) -> str:
    """Return in one line why rows are empty: the commonest reason, and how many have others."""
    if all(row["note"].startswith("mini tier runs") for row in rows):
        return "the mini tier runs synthetic stand-ins, which are never compared"
    notes = collections.Counter(row["note"] for row in rows)
    ((first, count),) = notes.most_common(1)
    further = len(rows) - count
    return f"{first} ({count} of {len(rows)}; the others say why in their rows)" if further else first


def comparison_rows(comparison: Sequence[Mapping[str, str]], built: Sequence[str]) -> list[dict[str, Any]]:
    """Return the comparison as shown: ours rounded to the most digits that the paper prints for that metric.

    built: anchors of the artifacts on the page, to which a row may link.
    """
    decimals: dict[tuple[str, str], int] = {}
    for row in comparison:
        digits = len(row["published"].partition(".")[2])
        key = (row["paper"], row["metric"])
        decimals[key] = max(decimals.get(key, 0), digits)
    shown = []
    for row in comparison:
        places = decimals[row["paper"], row["metric"]]
        artifact, *further = places_of(row)
        target = anchor(row["paper"], artifact)
        ours = format_number(float(row["ours_mean"]), places) if row["ours_mean"] else "—"
        std = format_number(float(row["ours_std"]), places) if row["ours_std"] else ""
        difference = format_number(float(row["difference"]), places) if row["difference"] else "—"
        if row["status"] == "deviates" and not any(digit in difference for digit in "123456789"):
            difference = f"{float(row['difference']):.1g}".replace("-", "−")  # too small for the paper's digits
        shown.append(
            {
                **row,
                "paper_name": paper_name(row["paper"]),
                "artifact": artifact,
                "artifact_title": ", ".join(map(artifact_title, [artifact, *further])),
                "target": target if target in built else "",
                "setting_words": "" if row["setting"] == "all" else in_words(row["setting"]),
                "method_words": method_words(row["method"]),
                "model_words": in_words(row["model"]),
                "metric_words": in_words(row["metric"]),
                "shown_published": format_number(float(row["published"]), len(row["published"].partition(".")[2])),
                "ours": f"{ours} ± {std}" if std else ours,
                "shown_difference": difference,
                "status_name": STATUS_NAMES[row["status"]],
            }
        )
    return shown
