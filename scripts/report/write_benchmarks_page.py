"""Write docs/benchmarks.md from docs/benchmarks.csv: how fast this project computes beside the usual ways.

The CSV has a row for each comparison: benchmark; compared, the other way; ratio, how many times as fast as that way
this project is (empty where a row only notes a measurement); date; processor; note. It is written by hand or by
`python -m scripts.report.collect_benchmarks` from what `make bench` measured.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Mapping, Sequence

from scripts.common.errors import run_step
from scripts.common.files import write_text
from scripts.report.benchmark_rows import BENCHMARK_COLUMNS, read_benchmarks

HEAD = """# Benchmarks

How fast this project computes beside the usual ways to the same numbers. No other page holds speeds. `snakemake --cores
all gallery` writes this page from `docs/benchmarks.csv`; do not edit. A ratio of 2 means twice as fast as the other
way. Below 1 this project is slower. Each benchmark first checks that both ways give equal results. No GPU has been
measured yet.

`make bench` measures and writes `results/bench/`; it takes about twenty minutes. `make bench-page` puts the results
into the CSV and renews this page.
"""


def table(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the lines of a table of measurements."""
    lines = [
        "| benchmark | compared with | times as fast | date | processor | note |",
        "| --- | --- | --: | --- | --- | --- |",
    ]
    for row in rows:
        cells = (f"`{row['benchmark']}`", *(row[key] for key in BENCHMARK_COLUMNS[1:]))
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def page(rows: Sequence[Mapping[str, str]]) -> str:
    """Return the page: the newest measurement of each comparison, then the earlier ones."""
    newest = {}
    for row in rows:
        key = (row["benchmark"], row["compared"])
        if key not in newest or row["date"] > newest[key]["date"]:
            newest[key] = row
    earlier = [row for row in rows if row is not newest[(row["benchmark"], row["compared"])]]
    lines = [HEAD, *table(list(newest.values()))]
    if earlier:
        lines += ["", "## Earlier measurements", "", *table(earlier)]
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> None:
    """Read the CSV, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--benchmarks", required=True, type=Path, help="docs/benchmarks.csv")
    parser.add_argument("--page-out", required=True, type=Path, help="Markdown page")
    args = parser.parse_args(argv)
    write_text(args.page_out, page(read_benchmarks(args.benchmarks)))


if __name__ == "__main__":
    run_step(main)
