"""What the last steps of every paper share: the command line of a table or figure, and what it writes.

A table or figure is given the files of measured values that its paper's plan names (`--measured`), the paper's own
values (`--published`) and what it compares (`--settings`).
"""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any, Callable, Mapping, Sequence

from scripts.common.measured import Measured
from scripts.common.settings import parse_settings
from scripts.common.tables import Cell, Column, write_table

TABLE = ("csv", "md", "tex")
FIGURE = ("pdf", "png", "csv")


@dataclasses.dataclass(frozen=True)
class Table:
    """A table ready to be written."""

    rows: list[dict[str, Cell]]
    columns: list[Column]
    caption: str
    notes: list[str]


def add_output_flags(parser: argparse.ArgumentParser, kinds: Sequence[str]) -> None:
    """Add the output flags of a table (csv, md, tex) or of a figure (pdf, png, csv)."""
    for kind in kinds:
        parser.add_argument(f"--{kind}-out", required=True)


def save_table(table: Table, args: argparse.Namespace) -> None:
    """Write a table where the step's flags `--csv-out`, `--md-out` and `--tex-out` say."""
    write_table(
        table.rows,
        table.columns,
        csv=args.csv_out,
        md=args.md_out,
        tex=args.tex_out,
        caption=table.caption,
        tier=args.tier,
        notes=table.notes,
    )


def artifact_flags(
    argv: Sequence[str] | None,
    about: str | None,
    kinds: Sequence[str],
    *,
    files: Mapping[str, str] | None = None,
    optional: Sequence[str] = (),
    several: Sequence[str] = (),
    names: Sequence[str] | None = None,
) -> argparse.Namespace:
    """Return the flags of a step that makes a table or a figure; `measured` holds the values that it was given.

    about: the step's docstring; kinds: TABLE or FIGURE; files: {flag: what the file is} of what it reads besides, of
    which those in `optional` may be missing and those in `several` are lists, which may be empty; names: the artifacts
    that the step knows, if it makes several.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artifact", required=True, choices=names, help="its name: table_... or figure_...")
    parser.add_argument("--measured", nargs="*", default=[], help="CSVs in the long schema")
    for flag, text in (files or {}).items():
        parser.add_argument(
            f"--{flag}", required=flag not in optional, nargs="*" if flag in several else None, help=text
        )
    parser.add_argument("--published", required=True, help="CSV of the paper's values")
    parser.add_argument("--settings", required=True, help="JSON: what is compared")
    parser.add_argument("--tier", required=True)
    add_output_flags(parser, kinds)
    args = parser.parse_args(argv)
    args.measured = Measured.read(args.measured, args.published, args.artifact)
    return args


def table_step(
    argv: Sequence[str] | None,
    about: str | None,
    builders: Mapping[str, Callable[[Measured, Any], Table]],
    settings_type: type,
) -> None:
    """Run the step that writes one of a paper's tables. builders: name -> what makes it of values and settings."""
    args = artifact_flags(argv, about, TABLE, names=sorted(builders))
    settings = parse_settings(settings_type, args.settings)
    save_table(builders[args.artifact](args.measured, settings), args)
