"""`thrift reproduce`: a table or figure of the five papers, or the menu of them with minutes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Sequence

from scripts.common.errors import UserError, did_you_mean
from scripts.common.files import read_text
from scripts.own.flags import OneLineParser
from scripts.own.run_folder import ROOT

MENU = ROOT / "docs" / "artifacts.md"
WHOLE = ("all", "report", "published_without_gpu", "gallery")
"""Targets beside the tables and figures; and <paper>_all."""
_ROW = re.compile(r"\| (?P<what>[^|]+?) \| [^|]* \| `(?P<target>\w+)` \| (?P<minutes>[^|]+?) \| [^|]* \|")


def tiers() -> list[str]:
    """Return the names of the tiers."""
    return sorted(path.stem for path in (ROOT / "config" / "tiers").glob("*.yaml"))


def parser() -> OneLineParser:
    """Return the parser of the command."""
    built = OneLineParser(
        "reproduce", "Rebuild a table or figure of the five papers; without TARGET say which there are."
    )
    built.add_argument(
        "targets", nargs="*", metavar="TARGET", help="e.g. nuggets_figure_scores, mend_table_2, delift_all"
    )
    group = built.add_argument_group("machine")
    group.add_argument("--tier", default="mini", metavar="T", help=f"sizes of data and models: {', '.join(tiers())}")
    group.add_argument("--cores", type=int, metavar="N", default=os.cpu_count() or 1, help="processor cores to use")
    group.add_argument("--profile", type=Path, metavar="DIR", help="run elsewhere, e.g. profiles/slurm")
    group.add_argument("--dry-run", action="store_true", help="say the jobs, run nothing")
    return built


def main(words: Sequence[str]) -> None:
    """Show the menu, or run the workflow as `snakemake` does with that tier."""
    args = parser().parse(words)
    if args.tier not in tiers():
        raise UserError(
            f"--tier: unknown tier '{args.tier}'{did_you_mean(args.tier, tiers())}; use {', '.join(tiers())}"
        )
    if args.cores < 1:
        raise UserError(f"--cores: {args.cores} is too few; give 1 or more")
    known = menu()
    if not args.targets:
        sys.stdout.write("\n".join(lines_of(known)) + "\n")
        return
    papers = sorted(path.stem for path in (ROOT / "config" / "papers").glob("*.yaml"))
    targets = [*known, *WHOLE, *(f"{paper}_all" for paper in papers)]
    for target in args.targets:
        if target not in targets:
            raise UserError(
                f"TARGET: unknown '{target}'{did_you_mean(target, targets)}; `thrift reproduce` alone shows the menu"
            )
    sys.exit(subprocess.run(command(args.targets, args), cwd=ROOT, check=False).returncode)


def command(targets: Sequence[str], args: object) -> list[str]:
    """Return Snakemake's command line."""
    options = vars(args)
    where = ["--workflow-profile", str(options["profile"].resolve())] if options["profile"] else []
    dry = ["--dry-run"] if options["dry_run"] else []
    tier = f"config/tiers/{options['tier']}.yaml"
    start = [sys.executable, "-m", "snakemake", "--cores", str(options["cores"])]
    return [*start, *where, *dry, "--configfile", tier, "--", *targets]


def menu() -> dict[str, tuple[str, str]]:
    """Return {target: (what it is, minutes in the mini tier)} of every table and figure of docs/artifacts.md."""
    found = {}
    for line in read_text(MENU).splitlines():
        row = _ROW.fullmatch(line)
        if row:
            found[row["target"]] = (row["what"].replace("**", ""), row["minutes"])
    return found


def lines_of(known: dict[str, tuple[str, str]]) -> list[str]:
    """Return the menu as a table: target, minutes, what it is."""
    width = max(map(len, known))
    head = f"{'target':{width}}  {'minutes, mini tier':>18}  what"
    rows = [f"{target:{width}}  {minutes:>18}  {what}" for target, (what, minutes) in known.items()]
    return [head, *rows, "", "thrift reproduce TARGET [--tier sample]; all of it: thrift reproduce all"]
