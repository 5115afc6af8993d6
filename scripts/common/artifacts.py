"""What the last steps of every paper share: the command line of a table or figure, and what it writes.

A table or figure is given the files of measured values that its paper's plan names (`--measured`), the paper's own
values (`--published`) and what it compares (`--settings`). `table_step` and `artifact_flags` are for papers with such a
plan; `Collection`, `Artifact` and `tabulate` for those that still gather all values in one metrics.csv and notes.csv.
"""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any, Callable, Mapping, Sequence

from scripts.common.files import PathLike, read_csv, write_csv
from scripts.common.measured import NOT_MEASURED, Measured, sentence
from scripts.common.metrics import PUBLISHED_COLUMNS, metric_row, read_metrics, write_metrics
from scripts.common.settings import parse_settings
from scripts.common.spread import Spread, spreads_by
from scripts.common.tables import Cell, Column, Missing, write_table

TABLE = ("csv", "md", "tex")
FIGURE = ("pdf", "png", "csv")
NOTE_COLUMNS = ("artifact", "setting", "model", "method", "reason")


class Collection:
    """The rows of the long schema and the notes on what is missing, for one paper; `model` is the usual one."""

    def __init__(self, paper: str, model: str) -> None:
        self.paper = paper
        self.model = model
        self.rows: list[dict[str, Any]] = []
        self.notes: list[dict[str, str]] = []

    def add(
        self,
        artifact: str,
        setting: str,
        method: str,
        seed: int,
        metric: str,
        value: float,
        n: int,
        model: str | None = None,
    ) -> None:
        """Add one measured value; n: what it is averaged over."""
        self.rows.append(metric_row(self.paper, artifact, setting, model or self.model, method, seed, metric, value, n))

    def note(self, artifact: str, setting: str, method: str, reason: str, model: str | None = None) -> None:
        """Say once why a value is missing; an empty setting, model or method stands for all of them."""
        values = (artifact, setting, self.model if model is None else model, method, reason)
        note = dict(zip(NOTE_COLUMNS, values))
        if note not in self.notes:
            self.notes.append(note)

    def write(self, metrics: PathLike, notes: PathLike) -> None:
        """Write both files, the notes sorted."""
        write_metrics(metrics, self.rows)
        write_csv(notes, sorted(self.notes, key=lambda note: tuple(note.values())), NOTE_COLUMNS)


@dataclasses.dataclass(frozen=True)
class Table:
    """A table ready to be written."""

    rows: list[dict[str, Cell]]
    columns: list[Column]
    caption: str
    notes: list[str]


class Artifact:
    """The measured and published values of one artifact, and why some are missing.

    Where an artifact is about one model only, no call needs to name it.
    """

    def __init__(self, name: str, metrics: PathLike, notes: PathLike, published: PathLike) -> None:
        self.name = name
        self.measured = [row for row in read_metrics(metrics) if row["experiment"] == name]
        self.spreads = spreads_by(self.measured, ("setting", "model", "method", "metric"))
        self.notes = reasons(notes, name)
        self.published = [row for row in read_csv(published, PUBLISHED_COLUMNS) if row["artifact"] == name]
        self.models = list(dict.fromkeys(row["model"] for row in self.measured))

    def cell(
        self, setting: str, method: str, metric: str, otherwise: str = NOT_MEASURED, model: str | None = None
    ) -> Spread | Missing:
        """Return a measured value with its spread, or the reason why there is none.

        Raises ValueError if several models were measured and none is named.
        """
        if model is None and len(self.models) > 1:
            raise ValueError(f"{self.name} is about {', '.join(self.models)}: name the model")
        name = model if model is not None else self.models[0] if self.models else ""
        value = self.spreads.get((setting, name, method, metric))
        if value is not None:
            return value
        reason = reason_for(self.notes, setting, method, model)
        return Missing(otherwise if reason is None else sentence(reason))

    def number(
        self, setting: str, method: str, metric: str, otherwise: str = NOT_MEASURED, model: str | None = None
    ) -> float | Missing:
        """Return a measured value that does not vary over seeds, or their mean."""
        value = self.cell(setting, method, metric, otherwise, model)
        return value if isinstance(value, Missing) else value.mean

    def settings_of(self, metric: str) -> list[str]:
        """Return the settings in which a metric was measured: in the paper's order, then by name."""
        paper = [row["setting"] for row in self.published if row["metric"] == metric]
        known = list(dict.fromkeys(paper))
        found = sorted({row["setting"] for row in self.measured if row["metric"] == metric})
        return [name for name in known if name in found] + [name for name in found if name not in known]

    def published_value(self, setting: str, method: str, metric: str, model: str | None = None) -> float | None:
        """Return the paper's value, None if it gives none."""
        for row in self.published:
            asked = (setting, method, metric, row["model"] if model is None else model)
            if (row["setting"], row["method"], row["metric"], row["model"]) == asked:
                return float(row["value"])
        return None

    def count(self, setting: str, metric: str) -> int | None:
        """Return what a metric's values were averaged over: the largest n, where some methods have fewer."""
        found = [int(r["n"]) for r in self.measured if (r["setting"], r["metric"]) == (setting, metric)]
        return max(found, default=None)

    def published_note(self, model: str, dataset: str) -> list[str]:
        """Say from where the published values are, and for which model if it is another one than the run's."""
        if not self.published:
            return []
        models = sorted({row["model"] for row in self.published})
        note = f"Published: {self.published[0]['source']}."
        if models != [model]:
            note += (
                f" It is about {', '.join(models)}; this run about {model} on {dataset},"
                " so the columns are no comparison of like with like."
            )
        return [note]


def reasons(notes: PathLike, artifact: str) -> list[dict[str, str]]:
    """Return the notes on one artifact: what is missing from it and why."""
    return [row for row in read_csv(notes, NOTE_COLUMNS) if row["artifact"] == artifact]


def reason_for(notes: Sequence[Mapping[str, str]], setting: str, method: str, model: str | None) -> str | None:
    """Return the first reason why one value is missing, None if no note is about it. model: None = whatever model."""
    for note in notes:
        about = note["setting"] in ("", setting) and note["method"] in ("", method)
        if about and (model is None or note["model"] in ("", model)):
            return note["reason"]
    return None


def reason_of(notes: PathLike, artifact: str, otherwise: str = "not measured in this run") -> str:
    """Return the first reason why an artifact has nothing to show."""
    return next((row["reason"] for row in reasons(notes, artifact)), otherwise)


def add_input_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a step that draws from a paper's values: its metrics, notes and published values, the tier."""
    parser.add_argument("--metrics", required=True, help="CSV in the long schema")
    parser.add_argument("--notes", required=True, help="CSV: what is missing and why")
    parser.add_argument("--published", required=True, help="CSV of the paper's values")
    parser.add_argument("--tier", required=True)


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


def tabulate(
    argv: Sequence[str] | None,
    about: str | None,
    builders: Mapping[str, Callable[[Artifact, Any], Table]],
    settings_type: type,
    sources: Mapping[str, str] | None = None,
) -> None:
    """Run the step that writes one of a paper's tables: read its flags, build the table they name, save it.

    about: the step's docstring; builders: artifact -> what makes its table of values and settings; settings_type: the
    dataclass of `--settings`; sources: artifact -> the name under which its values stand, where that is another.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artifact", required=True, choices=sorted(builders))
    parser.add_argument("--settings", required=True, help="JSON: what the tables compare")
    add_input_flags(parser)
    add_output_flags(parser, ("csv", "md", "tex"))
    args = parser.parse_args(argv)
    settings = parse_settings(settings_type, args.settings)
    source = (sources or {}).get(args.artifact, args.artifact)
    artifact = Artifact(source, args.metrics, args.notes, args.published)
    save_table(builders[args.artifact](artifact, settings), args)


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
    which those in `optional` may be missing and those in `several` are one or more; names: the artifacts that the step
    knows, if it makes several.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artifact", required=True, choices=names, help="its name: table_... or figure_...")
    parser.add_argument("--measured", nargs="*", default=[], help="CSVs in the long schema")
    for flag, text in (files or {}).items():
        many = {"nargs": "+"} if flag in several else {}
        parser.add_argument(f"--{flag}", required=flag not in optional, help=text, **many)
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
