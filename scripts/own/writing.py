"""`thrift write`: a few texts of each class that teach what a whole file of labelled texts does (DDG, DiLM)."""

from __future__ import annotations

import argparse
import collections
import dataclasses
from pathlib import Path
from typing import Any, Sequence

from scripts.common.errors import UserError, did_you_mean
from scripts.common.files import read_jsonl
from scripts.data.labels import plain_text
from scripts.data.original_rows import ending_of, write_form
from scripts.data.readers import raw_records
from scripts.data.rows import UNKNOWN, Record
from scripts.own.choosing import folder_of
from scripts.own.flags import OneLineParser, add_machine_flags, check_machine
from scripts.own.models import OwnModel, find_model, flags_of
from scripts.own.planning import say_plan
from scripts.own.run_folder import ROOT, RunFolder, say, shown
from scripts.own.settings import EMBEDDER, MODEL, NARROW, TIER, Machine, compute_settings, model_rows

TASK, DATA = "own", "own_texts"
METHODS = {
    "ddg": "gradient matching with a slow teacher",
    "dilm": "gradient matching",
    "vanilla_lm": "writing and selecting alone",
}
INTERVAL = 20
"""Loops after which the classifier starts anew (`ddg.matching.interval`); states are kept at multiples of it."""


@dataclasses.dataclass(frozen=True)
class Texts:
    """Labelled texts. rows: text and label; labels: sorted; columns: of text and label in the file."""

    path: Path
    rows: Sequence[tuple[str, str]]
    labels: Sequence[str]
    columns: tuple[str, str]


def parser() -> OneLineParser:
    """Return the parser of the command."""
    told = "\n".join(f"  {name:11} {what}" for name, what in METHODS.items())
    built = OneLineParser(
        "write", f"Write a few texts of each class from a file of labelled texts.\n\nways (--by):\n{told}"
    )
    data = built.add_argument_group("data")
    data.add_argument("pool", type=Path, metavar="POOL", help="labelled texts: CSV, TSV, JSON, parquet, packed")
    data.add_argument("--text", metavar="COLUMN", default="text", help="column of the text")
    data.add_argument("--label", metavar="COLUMN", default="label", help="column of the class")
    method = built.add_argument_group("method")
    method.add_argument("--by", choices=list(METHODS), default="ddg", help="way to write")
    method.add_argument("--per-class", type=int, metavar="N", default=5, help="texts for each class")
    method.add_argument("--steps", type=int, metavar="N", default=2000, help="the writer learns to write")
    method.add_argument("--loops", type=int, metavar="N", default=200, help="of gradient matching after that")
    method.add_argument("--longest", type=int, metavar="N", default=64, help="tokens of a written text")
    method.add_argument("--seed", type=int, metavar="N", default=0, help="of what is drawn by chance")
    model = built.add_argument_group("model")
    model.add_argument("--model", metavar="NAME", default="gpt2", help="causal language model that learns to write")
    model.add_argument(
        "--encoder", metavar="NAME", default="bert_base_uncased", help="classifier whose gradients match"
    )
    add_machine_flags(built)
    return built


def main(words: Sequence[str]) -> None:
    """Parse, write the texts, say where they are."""
    args = parser().parse(words)
    check_machine(args)
    for name, least in (("per_class", 1), ("steps", 1), ("loops", 1), ("longest", 4)):
        if getattr(args, name) < least:
            raise UserError(f"--{name.replace('_', '-')}: {getattr(args, name)} is too few; give {least} or more")
    model = find_model(args.model, "--model", ROOT, MODEL)
    encoder = find_model(args.encoder, "--encoder", ROOT, EMBEDDER, "encoder")
    texts = read_texts(args.pool, args.text, args.label)
    smallest = smallest_class(texts)
    say(f"read {len(texts.rows):,} texts of {len(texts.labels)} classes, {smallest:,} different in the smallest")
    folder = RunFolder(folder_of(args) / "run_write", flags_of(model=model, encoder=encoder))
    rows = {DATA: [{"input": text, "output": label} for text, label in texts.rows]}
    kind = {"schema": "classification", "labels": list(texts.labels)}
    folder.prepare(writing_settings(args, model, encoder, smallest), rows, model_rows(model, encoder), kind)
    targets = [f"results/{TIER}/ddg/sets/{TASK}/{args.by}"]
    if args.config_only:
        say(f"settings: {shown(folder.path / 'own.yaml')}")
    elif args.dry_run:
        say_plan(folder, targets, args)
    else:
        folder.run(targets, args.cores, args.profile)
        file = write_texts(args, texts, folder.path)
        say(f"{args.per_class} texts for each of {len(texts.labels)} classes: {shown(file)}")


def read_texts(path: Path, text: str, label: str) -> Texts:
    """Return labelled texts. Raises `UserError` naming POOL, --text or --label."""
    if not path.is_file():
        raise UserError(f"POOL: {path}: no such file; check the path")
    try:
        records = raw_records(path, "any", UNKNOWN)
    except UserError as fault:
        raise UserError(f"POOL: {fault}") from None
    names = list(records[0].values) if records else []
    for flag, column in (("--text", text), ("--label", label)):
        if column not in names:
            raise UserError(
                f"{flag}: {path} has no column '{column}'{did_you_mean(column, names)}; it has {', '.join(names)}"
            )
    rows = []
    for record in records:
        cells = [
            str(plain_text(record.values[name])).strip() if record.values.get(name) is not None else ""
            for name in (text, label)
        ]
        if all(cells):
            rows.append((cells[0], cells[1]))
    if len(rows) < len(records):
        say(f"{len(records) - len(rows):,} of {len(records):,} rows without text or label left out")
    labels = sorted({label for _, label in rows})
    if len(labels) < 2:
        raise UserError(f"--label: column '{label}' holds {len(labels)} class; two or more are needed")
    if len(labels) > len(rows) / 2:
        raise UserError(
            f"--label: column '{label}' holds {len(labels)} classes in {len(rows)} rows; name that of the class"
        )
    return Texts(path, rows, labels, (text, label))


def smallest_class(texts: Texts) -> int:
    """Return how many different texts the class has that has the fewest."""
    return min(collections.Counter(label for _, label in set(texts.rows)).values())


def writing_settings(args: argparse.Namespace, model: OwnModel, encoder: OwnModel, smallest: int) -> dict[str, Any]:
    """Return the overlay by which DDG's rules write texts; a narrow model takes higher rates, as in the mini tier."""
    narrow = model.width is not None and model.width < NARROW
    machine = Machine.here(args.cores, args.profile is not None)
    return {
        "tier": TIER,
        "papers": ["ddg"],
        "compute": compute_settings(machine, model),
        "registries": {"datasets": ["own_datasets.yaml"], "models": ["own_models.yaml"]},
        "ddg": {
            "tasks": {TASK: task_row(args.longest)},
            "seeds": [args.seed],
            "generator": model.name,
            "learner": "own",
            "learners": {"own": {"model": encoder.name, "pooling": "model"}},
            "pretraining": {
                "steps": args.steps,
                "batch_size": 16,
                "save_steps": max(100, args.steps // 10),
                "optimizer": {"learning_rate": 3e-3 if narrow else 5e-5},
            },
            "matching": matching_settings(args, encoder, smallest, narrow),
            "sets": {
                "dpcs": [args.per_class],
                "draws": 1,
                "over_sample": 20,
                "reading": {"max_tokens": 512 if encoder.window is None else min(encoder.window, 512)},
            },
            "distil": {"tasks": [TASK], "methods": [args.by]},
        },
    }


def task_row(longest: int) -> dict[str, Any]:
    """Return the row of `ddg.tasks` for one's own texts; longest: tokens of a written text."""
    return {
        "title": "own texts",
        "dataset": DATA,
        "train": "train",
        "test": "train",
        "limit": None,
        "text_columns": ["text"],
        "max_tokens": longest,
        "metric": "accuracy",
        "prompt": "single",
        "turns": 1,
        "released": None,
    }


def matching_settings(args: argparse.Namespace, encoder: OwnModel, smallest: int, narrow: bool) -> dict[str, Any]:
    """Return how gradients are matched; smallest: texts of the rarest class."""
    distinct = max(2, smallest // 2)  # texts may differ and still be one point to the classifier
    read = 4 * args.longest
    return {
        "outer_loops": args.loops,
        "synthetic_per_class": min(64, distinct),
        "real_per_class": min(200, smallest),
        "clusters": min(64, distinct),
        "representative": {"versions": 10, "size": min(200, distinct)},
        "monitor_texts": min(200, smallest),
        "save_loops": INTERVAL * max(1, args.loops // (10 * INTERVAL)),
        "interval": INTERVAL,
        **({"optimizer": {"learning_rate": 3e-4}, "lm_weight": 0.3} if narrow else {}),
        "learner": {"max_tokens": read if encoder.window is None else min(encoder.window, read)},
    }


def write_texts(args: argparse.Namespace, texts: Texts, run_folder: Path) -> Path:
    """Write the texts in the form of the file, with its names of columns and classes."""
    made = run_folder / "results" / TIER / "ddg" / "sets" / TASK / args.by
    rows = read_jsonl(made / f"seed_{args.seed}" / f"dpc_{args.per_class}" / "draw_0.jsonl")
    text, label = texts.columns
    records = [Record("", {text: row["text"], label: texts.labels[row["labels"]]}) for row in rows]
    folder = run_folder.parent / "written"
    folder.mkdir(parents=True, exist_ok=True)
    ending = ending_of(texts.path)
    if ending == ".parquet":  # its rows are copied by their numbers, and these are new ones
        ending = ".csv"
        from scripts.common.files import write_csv

        write_csv(folder / f"{args.by}.csv", [record.values for record in records], (text, label))
    else:
        write_form(folder / f"{args.by}{ending}", records, [texts.path], UNKNOWN)
    return folder / f"{args.by}{ending}"
