"""Write docs/claims.md: what the papers claim, what they print, and what each tier measured, with its verdict."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Mapping, Sequence

from scripts.common.errors import run_step
from scripts.common.files import read_csv, write_text
from scripts.report.claim_text import measured_difference, printed_difference
from scripts.report.claims import CLAIM_COLUMNS, NOT_MEASURED, NOT_RUN, VERDICTS, unit_of
from scripts.report.manifest import paper_name

HEAD = """# Do the claims hold?

Every testable claim of the five papers, in our words, decided by measured values. `snakemake --cores all gallery`
writes this page; do not edit. The claims stand in `config/published/claims.yaml`, the rule in
`scripts/report/claims.py`.

How a verdict is found:

- Both sides of a claim are measured with the same seeds. The difference is taken seed by seed.
- **holds** and **contrary** are said only where the difference is clear although many claims are asked at once
  (Benjamini and Hochberg, at 5 %). All else is **not told apart**.
- A positive difference speaks for the claim. Brackets are 95 % intervals.
- *Base* is the model as it is, *all* the model after all data. For MEND *all* is the model that reads the
  demonstrations themselves, for Step-by-Step a student of all labels without rationales.
- *Printed* is the difference in the paper.

The mini tier is a synthetic stand-in. Its verdicts say how the methods behave there, not what the papers measured.
"""


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
    return format(number, ".1e" if abs(number) >= 1e5 else f".{digits}f")


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


def page(rows: Sequence[Mapping[str, str]]) -> str:
    """Return the page. rows: of all tiers."""
    lines = [HEAD, *counts_table(rows)]
    for paper in dict.fromkeys(row["paper"] for row in rows):
        picture = f"![The claims of {paper_name(paper)}: printed and measured differences](figures/claims_{paper}.png)"
        lines += ["", f"## {paper_name(paper)}", "", picture, ""]
        lines += claims_table([row for row in rows if row["paper"] == paper])
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> None:
    """Write the page, and keep the claims of this tier beside it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--claims", required=True, type=Path, help="CSV of measure_claims of this tier")
    parser.add_argument("--kept", nargs="*", default=[], type=Path, help="the same of other tiers")
    parser.add_argument("--page-out", required=True, type=Path, help="Markdown page")
    parser.add_argument("--kept-out", required=True, type=Path, help="copy of --claims")
    args = parser.parse_args(argv)
    write_text(args.page_out, page(read_claims_of_tiers([args.claims, *args.kept])))
    shutil.copyfile(args.claims, args.kept_out)


if __name__ == "__main__":
    run_step(main)
