"""Rebuild one MetaICL task from its upstream data set: input, output and options, then the k-shot files per seed.

Runs in the preprocessing environment (envs/preprocess.yaml). The rows come from files of the user, or from `datasets`
1.4.0, whose loading scripts MetaICL was written for. A task's entry in config/metaicl.yaml says how a row becomes an
example. Draws are MetaICL's: shuffle with NumPy's legacy generator, keep the first k, or as CrossFit k of each label;
the development file holds the k after them.

DEVIATION: MetaICL writes the whole test split once for each seed; here it stands once, as test.jsonl.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import read_text
from scripts.common.settings import parse_json
from scripts.data.layout import Layout
from scripts.data.old_datasets import import_datasets
from scripts.data.rows import read_rows
from scripts.data.split_files import find_split_files, names_of
from scripts.data.task_draws import task_parser, write_task
from scripts.data.task_templates import cut_splits, examples_of
from scripts.data.unifiedqa import test_examples, train_examples

LOG = logging.getLogger(__name__)
Example = dict[str, Any]


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = task_parser(__doc__)
    parser.add_argument("--raw", type=Path, help="folder with upstream rows, <task>/<split>.jsonl, .json, .csv, ...")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Rebuild the task; the folder appears when all its files are written."""
    args = parse_args(argv)
    spec, draws = parse_json("--row", args.row, dict), parse_json("--draws", args.draws, dict)
    if spec.get("synthetic"):
        raise UserError(f"task '{args.task}': is synthetic; set mend.tasks.source to synthetic")
    if "dataset" in spec:
        raise UserError(f"task '{args.task}': is of a registered data set; set mend.tasks.source to registry")
    with tempfile.TemporaryDirectory(prefix="rebuild_task.") as cache:
        train, test = load_examples(args.task, spec, args.raw, cache)
    write_task(args.task_out, args.task, train, test, draws, per_label=args.sampling == "per_label")


def load_examples(
    task: str, spec: Mapping[str, Any], raw: Path | None, cache: str
) -> tuple[list[Example], list[Example]]:
    """Return the rows to draw from and the test rows. Raises `UserError` where there is no way to the upstream rows."""
    splits = spec["splits"]
    if "unifiedqa" in spec:
        if raw is None:
            raise UserError(
                f"task '{task}': needs UnifiedQA's archive; unpack it and name its folder as mend.tasks.raw"
            )
        name = spec["unifiedqa"]
        paths = {role: find_files(raw / task, Path(file).stem)[0] for role, file in splits.items()}
        lines = {role: read_text(path).split("\n") for role, path in paths.items()}
        if spec["type"] == "multi_choice":
            return tuple(test_examples(name, lines[role], str(paths[role])) for role in ("train", "test"))  # type: ignore[return-value]
        rows = {role: train_examples(name, lines[role], 100, str(paths[role])) for role in ("train", "test")}
        return rows["train"], rows["test"]
    found = {}
    for split in dict.fromkeys(splits.values()):
        source, rows = raw_rows(task, spec, split, raw, cache)
        found[split] = examples_of(task, spec, rows, source)
    train, test = cut_splits(spec, found[splits["train"]], found[splits["test"]])
    if spec["type"] == "classification" and not spec.get("options"):
        labels = sorted({row["output"] for row in (*train, *test)})
        train, test = ([{**row, "options": labels} for row in rows] for rows in (train, test))
    return train, test


def raw_rows(
    task: str, spec: Mapping[str, Any], split: str, raw: Path | None, cache: str
) -> tuple[str, list[dict[str, Any]]]:
    """Return where the rows of an upstream split come from, and the rows."""
    if raw is not None:
        paths = find_files(raw / task, split)
        layout = Layout(spec.get("header"), spec.get("delimiter"), spec.get("quoting"))
        return str(paths[0]), [record.values for path in paths for record in read_rows(path, layout=layout)]
    if spec["hub"] is None:
        raise UserError(f"task '{task}': datasets 1.4.0 does not have it; give its rows under mend.tasks.raw")
    datasets = import_datasets(cache)
    name, config = spec["hub"]["id"], spec["hub"]["config"]
    source = f"{name}{f'/{config}' if config else ''}:{split}"
    try:
        table = datasets.load_dataset(name, config, split=split, cache_dir=cache)
    except (OSError, ValueError, datasets.utils.info_utils.NonMatchingChecksumError) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(
            f"{source}: datasets 1.4.0 cannot load it ({reason}); put its rows in a folder, <task>/<split>.jsonl, and "
            "name that folder as mend.tasks.raw"
        ) from None
    return source, [dict(row) for row in table]


def find_files(folder: Path, split: str) -> list[Path]:
    """Return the files of a split, whatever their form. Raises `UserError` if there are none."""
    found = find_split_files(folder, names_of(split))
    if not found:
        raise UserError(
            f"{folder}: no {split}.jsonl (.json, .csv, .tsv, .parquet, packed or not); put the upstream rows there"
        )
    return found


if __name__ == "__main__":
    run_step(main)
