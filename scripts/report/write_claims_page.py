"""Write docs/claims.md: what the papers claim, what they print, and what each tier measured, with its verdict."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Mapping, Sequence

from scripts.common.errors import run_step
from scripts.common.files import write_text
from scripts.report.claim_tables import claims_table, counts_table, read_claims_of_tiers
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
