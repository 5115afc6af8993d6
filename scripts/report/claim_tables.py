"""Tables of claims for the pages: verdicts by paper and tier, and each claim with what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Mapping, Sequence

from scripts.common.files import read_csv
from scripts.report.claim_text import measured_difference, printed_difference
from scripts.report.claims import CLAIM_COLUMNS, NOT_MEASURED, NOT_RUN, VERDICTS, unit_of
from scripts.report.manifest import paper_name

TIERS = ("mini", "laptop", "sample", "paper")
COLUMNS = (
    "claim",
    "where",
    "tier",
    "verdict",
    "difference",
    "claimed better",
    "claimed worse",
    "base",
    "all",
    "printed",
)


def shown(value: str, metric: str) -> str:
    """Return a mean of a claim in its unit, "" for none."""
    if not value:
        return ""
    unit, factor = unit_of(metric)
    number = factor * float(value)
    digits = 3 if unit in ("AUC", "nats a token") else 1
    return format(number, ".1e" if abs(number) >= 1e5 else f".{digits}f").replace("-", "−")


def counts_table(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the lines of the table that counts verdicts by paper and tier."""
    lines = [f"| paper | tier | {' | '.join(VERDICTS)} |", f"| --- | --- | {' | '.join(['--:'] * len(VERDICTS))} |"]
    for paper in dict.fromkeys(row["paper"] for row in rows):
        for tier in dict.fromkeys(row["tier"] for row in rows):
            own = [row["verdict"] for row in rows if (row["paper"], row["tier"]) == (paper, tier)]
            if own and set(own) != {NOT_RUN}:
                numbers = " | ".join(str(own.count(verdict)) for verdict in VERDICTS)
                lines.append(f"| {paper_name(paper)} | {tier} | {numbers} |")
    return lines


def claim_line(row: Mapping[str, str]) -> str:
    """Return a claim in one tier as a row of the table."""
    verdict = f"not run: {row['reason']}" if row["verdict"] == NOT_RUN else f"**{row['verdict']}**"
    means = [shown(row[f"{which}_mean"], row["metric"]) for which in ("better", "worse", "base", "all")]
    printed = printed_difference(row) if row["published"] else ""
    cells = (
        row["text"],
        row["where"],
        row["tier"],
        verdict,
        measured_difference(row) if row["difference"] else "",
        *means,
        printed,
    )
    return f"| {' | '.join(cells)} |"


def claims_table(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the lines of a paper's table of claims. rows: its claims in all tiers.

    A tier that does not measure a claim has no row for it, unless no tier measures it.
    """
    left, right = ["---"] * 4, ["--:"] * 6
    lines = [f"| {' | '.join(COLUMNS)} |", f"| {' | '.join(left + right)} |"]
    for name in dict.fromkeys(row["claim"] for row in rows):
        own = [row for row in rows if row["claim"] == name]
        measuring = [row for row in own if row["reason"] != NOT_MEASURED]
        lines += [claim_line(row) for row in measuring or own[:1]]
    return lines


def read_claims_of_tiers(paths: Sequence[Path]) -> list[dict[str, str]]:
    """Return the rows of several tiers' CSVs, the smallest tier first, whatever the order of the files."""
    rows = [row for path in paths for row in read_csv(path, CLAIM_COLUMNS)]
    return sorted(rows, key=lambda row: TIERS.index(row["tier"]) if row["tier"] in TIERS else len(TIERS))
