"""Write the made-up paper's table: measured lengths beside the published ones."""

from __future__ import annotations

import argparse
from typing import Sequence

from scripts.common.artifacts import Artifact, Table, add_input_flags, add_output_flags, save_table
from scripts.common.errors import run_step
from scripts.common.tables import Column


def main(argv: Sequence[str] | None = None) -> None:
    """Read the values and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_input_flags(parser)
    add_output_flags(parser, ["csv", "md", "tex"])
    args = parser.parse_args(argv)
    artifact = Artifact("table_1", args.metrics, args.notes, args.published)
    columns = [
        Column("dataset", "Dataset"),
        Column("length", "Length", "spread"),
        Column("length_published", "Length", "published"),
    ]
    rows = [
        {
            "dataset": name,
            "length": artifact.cell(name, "answers", "length"),
            "length_published": artifact.published_value(name, "answers", "length"),
        }
        for name in artifact.settings_of("length")
    ]
    save_table(Table(rows, columns, "Mean length of the answers", artifact.published_note("none", "mini_pool")), args)


if __name__ == "__main__":
    run_step(main)
