"""Write the table of generated texts: the first ones of every class."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Sequence

from scripts.common.artifacts import Table, add_output_flags, save_table
from scripts.common.errors import UserError, run_step
from scripts.common.files import numbered_jsonl
from scripts.common.settings import parse_json
from scripts.common.tables import Cell, Column
from scripts.data.label_names import read_label_names
from scripts.ddg.comparison import LABELS
from scripts.ddg.distilled import LABEL_KEYS, read_set, set_path


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", required=True, nargs="+", type=Path, help="sets, a folder for each task")
    parser.add_argument(
        "--labels",
        required=True,
        help="JSON: for each task its class names, null for those beside the sets",
    )
    parser.add_argument("--titles", required=True, nargs="+", help="name of each task, in the same order")
    parser.add_argument("--method", required=True, help="method whose texts are shown")
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument("--dpc", required=True, type=int, help="size of the set, texts a class")
    parser.add_argument("--texts", required=True, type=int, help="texts of each class to show")
    parser.add_argument("--tier", required=True)
    add_output_flags(parser, ("csv", "md", "tex"))
    return parser.parse_args(argv)


def rows_of(path: Path, title: str, label_names: Sequence[str], n_texts: int) -> list[dict[str, Cell]]:
    """Return the first texts of every class of one set, class by class."""
    lines = numbered_jsonl(path)
    columns = [key for key in (lines[0][1] if lines else {}) if key not in LABEL_KEYS]
    given = read_set(path, columns, len(label_names))
    rows: list[dict[str, Cell]] = []
    for label, name in enumerate(label_names):
        own = [text for text, of in zip(given.texts, given.labels) if of == label][:n_texts]
        rows += [{"task": title, "label": name, "text": " / ".join(text)} for text in own]
    return rows


def class_names(folder: Path) -> Sequence[str]:
    """Return the names of the classes that stand beside the sets, where the registry leaves them to the rows."""
    names = read_label_names(folder)
    if names is None:
        raise UserError(
            f"--labels: null for {folder}, which does not say what its classes are called; give their names"
        )
    return names


def main(argv: Sequence[str] | None = None) -> None:
    """Write the table."""
    args = parse_args(argv)
    if len(args.titles) != len(args.sets):
        raise UserError(f"--titles: {len(args.titles)} for {len(args.sets)} sets; give one for each")
    labels = parse_json("--labels", args.labels, list)
    if len(labels) != len(args.sets):
        raise UserError(f"--labels: {len(labels)} lists for {len(args.sets)} sets; give one for each")
    labels = [names or class_names(folder) for names, folder in zip(labels, args.sets)]
    rows = [
        row
        for folder, title, names in zip(args.sets, args.titles, labels)
        for row in rows_of(set_path(folder, args.seed, args.dpc, 0), title, names, args.texts)
    ]
    columns = [Column("task", "Task"), Column("label", "Class"), Column("text", "Text", tex_width_cm=9.0)]
    name = LABELS.get(args.method, args.method)
    notes = [
        f"The first {args.texts} of each class in draw 0 of seed {args.seed}, {args.dpc} texts a class; not chosen."
    ]
    save_table(Table(rows, columns, f"Texts written by {name}", notes), args)


if __name__ == "__main__":
    run_step(main)
