"""Write the made-up paper's table: measured lengths beside the published ones."""

from __future__ import annotations

from typing import Sequence

from scripts.common.artifacts import TABLE, Table, artifact_flags, save_table
from scripts.common.errors import run_step
from scripts.common.tables import Column


def main(argv: Sequence[str] | None = None) -> None:
    """Read the values and write the table."""
    args = artifact_flags(argv, __doc__, TABLE)
    measured = args.measured
    columns = [
        Column("dataset", "Dataset"),
        Column("length", "Length", "spread"),
        Column("length_published", "Length", "published"),
    ]
    rows = [
        {
            "dataset": name,
            "length": measured.cell(name, "answers", "length"),
            "length_published": measured.published_value(name, "answers", "length"),
        }
        for name in measured.settings_of("length")
    ]
    save_table(Table(rows, columns, "Mean length of the answers", measured.published_note("none", "mini_pool")), args)


if __name__ == "__main__":
    run_step(main)
