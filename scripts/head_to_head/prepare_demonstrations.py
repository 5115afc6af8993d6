"""Write sets of demonstrations as the k-shot task files that MEND reads: one task for each way they were made.

A set is a JSON lines file of DDG, {"labels": place in the options, "<text column>": text}. Its number, counted over the
seeds and their draws, is the seed of the task file; the test rows are the task's own.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import numbered_jsonl, whole_folder, write_jsonl
from scripts.common.settings import parse_settings
from scripts.data.label_names import check_label_names
from scripts.data.schemas import read_examples, validate


@dataclasses.dataclass(frozen=True)
class PrepareSettings:
    """task: its name; column: of its texts; dpc: texts of each class in a set, n: in all; seeds, draws: which sets."""

    task: str
    column: str
    dpc: int
    n: int
    seeds: Sequence[int]
    draws: int


def set_files(folder: Path, settings: PrepareSettings) -> list[Path]:
    """Return the files of all sets, those of the first seed first."""
    draws = range(settings.draws)
    return [
        folder / f"seed_{seed}" / f"dpc_{settings.dpc}" / f"draw_{draw}.jsonl"
        for seed in settings.seeds
        for draw in draws
    ]


def read_demonstrations(path: Path, settings: PrepareSettings, options: Sequence[str]) -> list[dict[str, Any]]:
    """Return a set as rows of the classification schema. Raises `UserError` naming file and line."""
    rows = []
    for number, row in numbered_jsonl(path):
        label, text = row.get("labels"), row.get(settings.column)
        if (
            not isinstance(label, int)
            or isinstance(label, bool)
            or not 0 <= label < len(options)
            or not isinstance(text, str)
        ):
            raise UserError(f"{path}:{number}: expected 'labels' below {len(options)} and a text '{settings.column}'")
        rows.append({"task": settings.task, "input": text, "output": options[label], "options": list(options)})
    return validate(rows, "classification", path)


def write_task(
    folder: Path, name: str, sets: Sequence[Sequence[Mapping[str, Any]]], test: Sequence[Mapping[str, Any]], shots: int
) -> None:
    """Write the k-shot files of one task. Raises `UserError` for a set of another size than `shots`."""
    for number, rows in enumerate(sets):
        if len(rows) != shots:
            raise UserError(
                f"--sets: set {number} of {name} has {len(rows)} texts, not {shots}; correct"
                " head_to_head.demonstrations.n_demonstrations: texts of a class x classes"
            )
        write_jsonl(folder / name / f"{name}_{shots}_{number}_train.jsonl", rows)
    write_jsonl(folder / name / "test.jsonl", test)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", required=True, nargs="+", help="folder of each method's sets, named by it")
    parser.add_argument("--test", required=True, help="test rows, canonical classification JSON lines")
    parser.add_argument("--settings", required=True, help="JSON: the fields of PrepareSettings")
    parser.add_argument("--tasks-out", required=True, help="folder: one task for each method")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Write the task files of every method."""
    args = parse_args(argv)
    settings = parse_settings(PrepareSettings, args.settings)
    test = read_examples(args.test, "classification")
    options = test[0]["options"]
    with whole_folder(args.tasks_out) as folder:
        for source in map(Path, args.sets):
            check_label_names(source, options, args.test)
            sets = [read_demonstrations(path, settings, options) for path in set_files(source, settings)]
            write_task(folder, source.name, sets, test, settings.n)


if __name__ == "__main__":
    run_step(main)
