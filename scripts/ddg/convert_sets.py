"""Turn distilled sets, JSON lines as DiLM releases them, into parquet with the columns that a reader expects."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import whole_folder
from scripts.common.packed import bare_name
from scripts.common.settings import named_values
from scripts.data.label_names import LABEL_FILE, check_label_names, read_label_names
from scripts.ddg.distilled import Layout, read_set, write_parquet

logger = logging.getLogger(__name__)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", required=True, type=Path, help="folder with .jsonl or .json files at any depth")
    parser.add_argument("--labels", nargs="+", help="names of the classes 0, 1, ...; by default those beside the sets")
    parser.add_argument("--text-columns", required=True, nargs="+", help="names of the text columns")
    parser.add_argument("--label-text", required=True, choices=("yes", "no"), help="also write each label's name")
    parser.add_argument("--rename", nargs="*", default=[], help="OLD=NEW for columns, e.g. sentence=text label=labels")
    parser.add_argument(
        "--label-lists", required=True, choices=("yes", "no"), help="each label as a list of one number (GoEmotions)"
    )
    parser.add_argument("--converted-out", required=True, type=Path, help="folder: the same tree with .parquet files")
    return parser.parse_args(argv)


def label_names(args: argparse.Namespace) -> tuple[str, ...]:
    """Return the names of the classes: those given, which must be those beside the sets where these have them."""
    if args.labels:
        if read_label_names(args.sets) is not None:
            check_label_names(args.sets, args.labels, "--labels")
        return tuple(args.labels)
    names = read_label_names(args.sets)
    if names is None:
        raise UserError(f"--labels: is missing, and {args.sets} has no {LABEL_FILE}; name the classes 0, 1, ...")
    return names


def main(argv: Sequence[str] | None = None) -> None:
    """Convert every set of a folder."""
    args = parse_args(argv)
    labels = label_names(args)
    paths = sorted(
        path
        for path in args.sets.rglob("*")
        if Path(bare_name(path)).suffix in (".json", ".jsonl") and path.name != LABEL_FILE
    )
    if not paths:
        raise UserError(f"{args.sets}: no .jsonl or .json file in this folder; check the path")
    layout = Layout(
        args.label_text == "yes", named_values("--rename", args.rename, "OLD=NEW"), args.label_lists == "yes"
    )
    with whole_folder(args.converted_out) as folder:
        for path in paths:
            given = read_set(path, args.text_columns, len(labels))
            converted = folder / path.relative_to(args.sets).with_name(Path(bare_name(path)).stem + ".parquet")
            write_parquet(converted, given, labels, layout)
    logger.info("%d sets converted", len(paths))


if __name__ == "__main__":
    run_step(main)
