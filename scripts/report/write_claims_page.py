"""Write docs/claims.md: what the papers claim, what they print, and what each tier measured, with its verdict."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Mapping, Sequence

from scripts.common.errors import run_step
from scripts.common.files import read_csv, write_text
from scripts.report.claim_text import measured_difference, printed_difference
from scripts.report.claims import CLAIM_COLUMNS, NOT_RUN, VERDICTS
from scripts.report.manifest import paper_name

HEAD = """# Do the claims hold?

Every testable claim of the five papers, in our words, decided by measured values. This page is generated from
`claims.csv` of the tiers (`snakemake --cores all gallery`); the claims stand in `config/published/claims.yaml`, the
rule in `scripts/report/claims.py`. In short: differences are paired by seed; `holds` and `contrary` are said only
where the difference is clear although many claims are asked (Benjamini and Hochberg, 5 %); everything else is
`not told apart`. Positive numbers speak for the claim; brackets are 95 % intervals. The mini tier is a synthetic
stand-in: its verdicts say how the methods behave there, not what the papers measured.
"""


def measured_text(row: Mapping[str, str]) -> str:
    """Return what a tier found, in one cell: verdict, difference, interval, unit; or why it was not run."""
    if row["verdict"] == NOT_RUN:
        return f"not run: {row['reason']}"
    return f"**{row['verdict']}**: {measured_difference(row)}"


def counts_table(rows: Sequence[Mapping[str, str]], tiers: Sequence[str]) -> list[str]:
    """Return the lines of the table that counts verdicts by paper and tier; it stands in the README too."""
    lines = [f"| paper | tier | {' | '.join(VERDICTS)} |", f"| --- | --- | {' | '.join(['--:'] * len(VERDICTS))} |"]
    for paper in dict.fromkeys(row["paper"] for row in rows):
        for tier in tiers:
            own = [row["verdict"] for row in rows if (row["paper"], row["tier"]) == (paper, tier)]
            if own and set(own) != {NOT_RUN}:
                numbers = " | ".join(str(own.count(verdict)) for verdict in VERDICTS)
                lines.append(f"| {paper_name(paper)} | {tier} | {numbers} |")
    return lines


def page(rows: Sequence[Mapping[str, str]]) -> str:
    """Return the page. rows: of all tiers."""
    tiers = list(dict.fromkeys(row["tier"] for row in rows))
    lines = [HEAD, *counts_table(rows, tiers)]
    for paper in dict.fromkeys(row["paper"] for row in rows):
        picture = f"![The claims of {paper_name(paper)}: printed and measured differences](figures/claims_{paper}.png)"
        lines += ["", f"## {paper_name(paper)}", "", picture, "", f"| claim | where | printed | {' | '.join(tiers)} |"]
        lines.append(f"| --- | --- | --: | {' | '.join(['---'] * len(tiers))} |")
        for name in dict.fromkeys(row["claim"] for row in rows if row["paper"] == paper):
            found = {row["tier"]: row for row in rows if row["claim"] == name}
            first = next(iter(found.values()))
            printed = ""
            if first["published"]:
                metric = next(row["metric"] for row in found.values() if row["metric"])
                printed = printed_difference({**first, "metric": metric})
            cells = [measured_text(found[tier]) if tier in found else "" for tier in tiers]
            lines.append(f"| {first['text']} | {first['where']} | {printed} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> None:
    """Write the page, and keep the claims of this tier beside it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--claims", required=True, type=Path, help="CSV of measure_claims of this tier")
    parser.add_argument("--kept", nargs="*", default=[], type=Path, help="the same of other tiers")
    parser.add_argument("--page-out", required=True, type=Path, help="Markdown page")
    parser.add_argument("--kept-out", required=True, type=Path, help="copy of --claims")
    args = parser.parse_args(argv)
    rows = [row for path in [args.claims, *args.kept] for row in read_csv(path, CLAIM_COLUMNS)]
    write_text(args.page_out, page(rows))
    shutil.copyfile(args.claims, args.kept_out)


if __name__ == "__main__":
    run_step(main)
