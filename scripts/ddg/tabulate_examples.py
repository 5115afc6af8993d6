"""Write the table of generated texts: the first ones of every class, from sets converted to parquet."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Sequence

from scripts.common.artifacts import Table, add_output_flags, save_table
from scripts.common.errors import UserError, run_step
from scripts.common.tables import Cell, Column
from scripts.data.rows import read_rows
from scripts.ddg.comparison import LABELS
from scripts.ddg.distilled import INDEX_COLUMN, LABEL_KEYS, LABEL_TEXT, set_path


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", required=True, nargs="+", type=Path, help="converted sets, a folder for each task")
    parser.add_argument("--titles", required=True, nargs="+", help="name of each task, in the same order")
    parser.add_argument("--method", required=True, help="method whose texts are shown")
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument("--dpc", required=True, type=int, help="size of the set, texts a class")
    parser.add_argument("--texts", required=True, type=int, help="texts of each class to show")
    parser.add_argument("--tier", required=True)
    add_output_flags(parser, ("csv", "md", "tex"))
    return parser.parse_args(argv)


def rows_of(path: Path, title: str, n_texts: int) -> list[dict[str, Cell]]:
    """Return the first texts of every class of one set."""
    shown: dict[str, int] = {}
    rows: list[dict[str, Cell]] = []
    for record in read_rows(path):
        name = str(record.values[LABEL_TEXT])
        shown[name] = shown.get(name, 0) + 1
        if shown[name] <= n_texts:
            hidden = (*LABEL_KEYS, LABEL_TEXT, INDEX_COLUMN)
            text = " / ".join(str(value) for key, value in record.values.items() if key not in hidden)
            rows.append({"task": title, "label": name, "text": text})
    return rows


def main(argv: Sequence[str] | None = None) -> None:
    """Write the table."""
    args = parse_args(argv)
    if len(args.titles) != len(args.sets):
        raise UserError(f"--titles: {len(args.titles)} for {len(args.sets)} sets; give one for each")
    rows = [
        row
        for folder, title in zip(args.sets, args.titles)
        for row in rows_of(set_path(folder, args.seed, args.dpc, 0, "parquet"), title, args.texts)
    ]
    columns = [Column("task", "Task"), Column("label", "Class"), Column("text", "Text", tex_width_cm=9.0)]
    name = LABELS.get(args.method, args.method)
    notes = [
        f"The first {args.texts} of each class in draw 0 of seed {args.seed}, {args.dpc} texts a class; not chosen."
    ]
    save_table(Table(rows, columns, f"Texts written by {name}", notes), args)


if __name__ == "__main__":
    run_step(main)
