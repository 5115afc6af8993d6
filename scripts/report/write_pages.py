"""Renew the generated blocks of README.md and of the pages in docs/: verdicts and measured tables of a finished run.

Blocks (`scripts.report.page_blocks`): `counts of verdicts`; `verdicts of <paper>`, its claims; `table <name>`, a table
of the run as it stands in `results/<tier>/tables/<name>.md`. A table that is not given stays as it is.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Mapping, Sequence

from scripts.common.errors import run_step
from scripts.common.files import read_text, write_json, write_text
from scripts.report.claim_tables import claims_table, counts_table, read_claims_of_tiers
from scripts.report.page_blocks import TABLE, blocks_of, filler, renewed


def contents(rows: Sequence[Mapping[str, str]], tables: Sequence[Path]) -> dict[str, str]:
    """Return {block: content}. rows: claims of all tiers; tables: Markdown files of the run."""
    found = {"counts of verdicts": "\n".join(counts_table(rows))}
    for paper in dict.fromkeys(row["paper"] for row in rows):
        found[f"verdicts of {paper}"] = "\n".join(claims_table([row for row in rows if row["paper"] == paper]))
    return {**found, **{TABLE + path.stem: read_text(path) for path in tables}}


def main(argv: Sequence[str] | None = None) -> None:
    """Renew the pages in place; write down which blocks each one has."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--claims", required=True, nargs="+", type=Path, help="CSVs of measure_claims, one a tier")
    parser.add_argument("--tables", required=True, nargs="*", type=Path, help="tables of the run, Markdown")
    parser.add_argument("--pages", required=True, nargs="+", type=Path, help="pages, changed in place")
    parser.add_argument("--blocks-out", required=True, type=Path, help="JSON: the blocks of each page")
    args = parser.parse_args(argv)
    filled = contents(read_claims_of_tiers(args.claims), args.tables)
    found = {}
    for page in args.pages:
        text = read_text(page)
        fresh = renewed(text, str(page), filler(filled, str(page)))
        if fresh != text:
            write_text(page, fresh)
            logging.info("%s: renewed", page)
        found[str(page)] = sorted(blocks_of(fresh))
    write_json(args.blocks_out, found)


if __name__ == "__main__":
    run_step(main)
