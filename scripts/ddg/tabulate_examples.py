"""Write the table of generated texts: the first ones of every class."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Mapping, Sequence

from scripts.common.artifacts import TABLE, Table, artifact_flags, save_table
from scripts.common.errors import UserError, run_step
from scripts.common.files import numbered_jsonl
from scripts.common.measured import NOT_MEASURED, sentence
from scripts.common.settings import parse_settings
from scripts.common.tables import Cell, Column, Missing
from scripts.data.label_names import read_label_names
from scripts.ddg.comparison import LABELS
from scripts.ddg.distilled import LABEL_KEYS, read_set, set_path
from scripts.ddg.measurements import SETS


@dataclasses.dataclass(frozen=True)
class Examples:
    """method: whose texts; seed, dpc: of the set, texts a class; n: texts of each class to show.

    there: the tasks that have sets, in the order of the files. labels: each task's class names, None for those that
    stand beside its sets.
    """

    tasks: Sequence[str]
    there: Sequence[str]
    titles: Mapping[str, str]
    labels: Mapping[str, Sequence[str] | None]
    method: str
    seed: int
    dpc: int
    n: int


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
            f"labels: null for {folder}, which does not say what its classes are called; give their names in --settings"
        )
    return names


def main(argv: Sequence[str] | None = None) -> None:
    """Write the table."""
    files = {"sets": "sets, a folder for each task that has some"}
    args = artifact_flags(argv, __doc__, TABLE, files=files, several=("sets",))
    settings = parse_settings(Examples, args.settings)
    if len(settings.there) != len(args.sets):
        raise UserError(f"--sets: {len(args.sets)} for {len(settings.there)} tasks in --settings; give one for each")
    folders = dict(zip(settings.there, map(Path, args.sets)))
    rows: list[dict[str, Cell]] = []
    for task in settings.tasks:
        title = settings.titles[task]
        if task not in folders:
            reason = args.measured.reason(task, settings.method, experiment=SETS)
            rows.append({"task": title, "label": "", "text": Missing(sentence(reason) if reason else NOT_MEASURED)})
            continue
        names = settings.labels[task] or class_names(folders[task])
        rows += rows_of(set_path(folders[task], settings.seed, settings.dpc, 0), title, names, settings.n)
    columns = [Column("task", "Task"), Column("label", "Class"), Column("text", "Text", tex_width_cm=9.0)]
    notes = [
        f"The first {settings.n} of each class in draw 0 of seed {settings.seed}, {settings.dpc} texts a class;"
        " not chosen."
    ]
    save_table(Table(rows, columns, f"Texts written by {LABELS.get(settings.method, settings.method)}", notes), args)


if __name__ == "__main__":
    run_step(main)
