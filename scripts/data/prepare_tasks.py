"""Turn raw task files (CrossFit, MetaICL) into canonical classification examples, with k-shot samples per seed.

Runs in the preprocessing environment (envs/preprocess.yaml), on the `datasets` release that MetaICL's preprocessing was
written for. A task is a folder of tab-separated files without header, `input <tab> output`, with the options as an
optional third column (`a||b||c`): `train.tsv`, `test.tsv` and, if there is one, `dev.tsv`; or CrossFit's ready k-shot
files `{task}_{k}_{seed}_{split}.tsv`, which are converted as they are.

Sampling follows CrossFit's few-shot gym: shuffle the training rows with NumPy's legacy generator seeded with the seed,
then keep the first k of each label in order of their first appearance (`per_label`), or the first k of all (`total`,
as MetaICL changed it). The k-shot development set is drawn from dev.tsv in the same way; without dev.tsv it is what
follows the training sample, as in CrossFit.
"""

from __future__ import annotations

import argparse
import logging
import re
import tempfile
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import read_text
from scripts.data.old_datasets import import_datasets
from scripts.data.schemas import write_examples

LOG = logging.getLogger(__name__)

SPLITS = ("train", "dev", "test")
OPTION_MARK = "||"


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks-raw", required=True, type=Path, help="folder with one folder per task")
    parser.add_argument("--tasks", required=True, nargs="+", help="names of the tasks")
    parser.add_argument("--free-form", nargs="*", default=(), help="tasks without options, sampled as a whole")
    parser.add_argument("--shots", required=True, type=int, help="k")
    parser.add_argument("--seeds", required=True, type=int, nargs="+", help="MetaICL: 100 13 21 42 87")
    parser.add_argument("--sampling", required=True, choices=("per_label", "total"))
    parser.add_argument("--examples-out", required=True, type=Path, help="folder, gets one folder per task")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Convert every task; nothing is written outside the output folder but to a temporary one."""
    args = parse_args(argv)
    if args.shots < 1:
        raise UserError(f"--shots: is {args.shots}; give a number from 1 on")
    with tempfile.TemporaryDirectory(prefix="prepare_tasks.") as cache:
        datasets = import_datasets(cache)
        for task in args.tasks:
            files = task_files(args.tasks_raw / task, task)
            tables = load_task(datasets, files, task in args.free_form, cache)
            whole = args.sampling == "total" or task in args.free_form
            samples = {} if "train" not in tables else sample_shots(tables, task, args.shots, args.seeds, whole)
            for name, table in {**tables, **samples}.items():
                write_examples(args.examples_out / task / f"{name}.jsonl", rows_of(table, task), "classification")
            sizes = ", ".join(f"{name} {len(table)}" for name, table in tables.items())
            LOG.info("%s: %s; %d k-shot files", task, sizes, len(samples))


def task_files(folder: Path, task: str) -> dict[str, Path]:
    """Return the raw files of a task by the name of what comes out of each. Raises `UserError` if there are none."""
    plain = {split: folder / f"{split}.tsv" for split in SPLITS if (folder / f"{split}.tsv").is_file()}
    if plain:
        for split in ("train", "test"):
            if split not in plain:
                raise UserError(f"{folder}: {split}.tsv is missing; a task needs train.tsv and test.tsv")
        return plain
    pattern = re.compile(re.escape(task) + r"_\d+_\d+_(train|dev|test)\.tsv")
    ready = {path.stem: path for path in sorted(folder.glob("*.tsv")) if pattern.fullmatch(path.name)}
    if not ready:
        raise UserError(
            f"{folder}: holds neither train.tsv nor {task}_<k>_<seed>_<split>.tsv; check the folder of tasks"
        )
    return ready


def load_task(datasets: Any, files: Mapping[str, Path], free_form: bool, cache: str) -> dict[str, Any]:
    """Return one table (input, output, options) per raw file, read and mapped by `datasets`.

    Options are the third column where there is one; else all labels that occur in the files, sorted; none for a
    free-form task. Raises `UserError` naming file and line.
    """
    features = datasets.Features(
        {
            "input": datasets.Value("string"),
            "output": datasets.Value("string"),
            "options": datasets.Sequence(datasets.Value("string")),
        }
    )
    tables = {}
    for name, path in files.items():
        n_lines = checked_lines(path)
        raw = datasets.load_dataset("text", data_files={"train": str(path)}, cache_dir=cache)["train"]
        if len(raw) != n_lines:
            raise UserError(f"{path}: holds a line separator other than the newline (such as U+2028); remove it")
        parsed = raw.map(
            lambda row, number, path=path: parse_line(row["text"], f"{path}:{number + 1}"),
            with_indices=True,
            remove_columns=["text"],
            features=features,
            keep_in_memory=True,
        )
        tables[name] = parsed
    without = {name: [not options for options in table["options"]] for name, table in tables.items()}
    if free_form or not all(all(flags) for flags in without.values()):
        for name, flags in without.items():
            if not free_form and any(flags):
                raise UserError(
                    f"{files[name]}:{flags.index(True) + 1}: has no options, but other lines of the task do; "
                    "give every line its options or none"
                )
        return tables
    labels = sorted({label for table in tables.values() for label in table["output"]})
    return {
        name: table.map(lambda row: {"options": labels}, features=features, keep_in_memory=True)
        for name, table in tables.items()
    }


def checked_lines(path: Path) -> int:
    """Return the number of lines of a file. Raises `UserError` if it is not UTF-8 or has no lines."""
    text = read_text(path)
    if not text.strip():
        raise UserError(f"{path}: the file is empty; expected lines of input, tab, output")
    return text.count("\n") + (not text.endswith("\n"))


def parse_line(line: str, place: str) -> dict[str, Any]:
    """Split one line into input, output and options. Raises `UserError` naming its place."""
    cells = line.split("\t")
    if len(cells) not in (2, 3) or not cells[1].strip():
        raise UserError(f"{place}: expected input, tab, output (and perhaps tab, options); mend that line")
    options = [option.strip() for option in cells[2].split(OPTION_MARK)] if len(cells) == 3 else []
    row = {"input": cells[0].strip(), "output": cells[1].strip(), "options": options}
    if options and row["output"] not in options:
        raise UserError(
            f"{place}: answer '{row['output']}' is not one of the options ({', '.join(options)}); mend that line"
        )
    return row


def sample_shots(tables: Mapping[str, Any], task: str, shots: int, seeds: Sequence[int], whole: bool) -> dict[str, Any]:
    """Return the k-shot tables by file name, `{task}_{k}_{seed}_{train|dev}`.

    whole: k rows of all instead of k of each label. A label with fewer than k rows gives what it has.
    """
    samples = {}
    for seed in seeds:
        train = shuffled_groups(tables["train"], seed, whole)
        chosen = {"train": [row for rows in train for row in rows[:shots]]}
        if "dev" in tables:
            chosen["dev"] = [row for rows in shuffled_groups(tables["dev"], seed, whole) for row in rows[:shots]]
        else:
            chosen["dev"] = [row for rows in train for row in rows[shots : 2 * shots]]
        for split, rows in chosen.items():
            if not rows:
                raise UserError(
                    f"{task}: too few training rows for {shots} shots of {split}; add rows or lower --shots"
                )
            source = tables[split] if split in tables else tables["train"]
            samples[f"{task}_{shots}_{seed}_{split}"] = source.select(rows)
    return samples


def shuffled_groups(table: Any, seed: int, whole: bool) -> list[list[int]]:
    """Return row numbers in CrossFit's shuffled order, grouped by label in order of first appearance (or one group)."""
    import numpy as np

    order = list(range(len(table)))
    np.random.RandomState(seed).shuffle(order)
    outputs = table["output"]
    groups: dict[str, list[int]] = {}
    for row in order:
        groups.setdefault("" if whole else outputs[row], []).append(row)
    return list(groups.values())


def rows_of(table: Any, task: str) -> list[dict[str, Any]]:
    """Return a table's rows in the classification schema."""
    columns = (table["input"], table["output"], table["options"])
    return [
        {"task": task, "input": text, "output": output, "options": list(options)}
        for text, output, options in zip(*columns)
    ]


if __name__ == "__main__":
    run_step(main)
