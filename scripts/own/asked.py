"""What `thrift choose` and `thrift compare` are both asked: flags, and the task that they and the rows make."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError, did_you_mean
from scripts.common.yaml_files import read_yaml
from scripts.own.flags import OneLineParser, add_data_flags, add_machine_flags, add_model_flags, size_kept
from scripts.own.models import OwnModel, find_model
from scripts.own.rows import OwnRows, read_own
from scripts.own.run_folder import ROOT, say
from scripts.own.settings import EMBEDDER, MODEL, Machine, Task
from scripts.own.ways import help_lines, needs_model
from scripts.selection.methods import WAYS


def choice_parser(name: str, does: str, needed: str, example: str) -> tuple[OneLineParser, argparse._ArgumentGroup]:
    """Return the parser of a command that chooses, and its group of flags on the method, for those of its own.

    does: what the command does, in a sentence; needed: when it needs a model; example: a command as it is typed.
    """
    built = OneLineParser(name, f"{does}\n\nways:\n" + "\n".join(help_lines()), epilog=example)
    data = add_data_flags(built, "rows to choose from")
    data.add_argument("--goal", type=Path, metavar="FILE", help="a few dozen good rows: what is to be chosen for")
    method = built.add_argument_group("method")
    method.add_argument("--by", metavar="WAYS", default="nuggets", help="ways to choose, several with commas")
    method.add_argument("--keep", metavar="SIZE", default="10%", help="share, or number of rows, e.g. 500")
    add_model_flags(built, needed)
    add_machine_flags(built)
    return built, method


def task_of(
    args: argparse.Namespace,
    ways: Sequence[str],
    rows: tuple[int, int],
    seeds: Sequence[int],
    models: tuple[OwnModel | None, OwnModel | None],
) -> Task:
    """Return what is to be chosen. rows: of pool and goal; models: language model and embedder."""
    return Task(
        n_pool=rows[0],
        n_goal=rows[1],
        ways=ways,
        keep=size_kept(args.keep, rows[0]),
        seeds=seeds,
        model=models[0],
        embedder=models[1],
        prompt=known_prompt(args.prompt),
        machine=Machine.here(args.cores, args.profile is not None),
    )


def flag_words(flags: Mapping[str, Any]) -> list[str]:
    """Return keywords as flags: True is a flag alone, None and False leave it out, a list is joined by commas."""
    words: list[str] = []
    for name, value in flags.items():
        if value is None or value is False:
            continue
        words.append(f"--{name.replace('_', '-')}")
        if value is not True:
            words.append(",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value))
    return words


def models_of(
    args: argparse.Namespace, ways: Sequence[str], *, always: bool = False
) -> tuple[OwnModel | None, OwnModel | None]:
    """Return the model and the embedder that the ways need; what no way needs is not looked at, unless `always`."""
    asked = always or any(map(needs_model, ways))
    embeds = any(set(WAYS[way].needs) & {"similarities", "embeddings"} for way in ways)
    model = find_model(args.model, "--model", ROOT, MODEL) if args.model and asked else None
    embedder = None
    if args.embedder:
        if not embeds:
            raise UserError("--embedder: no way of --by compares vectors; leave it out")
        embedder = find_model(args.embedder, "--embedder", ROOT, EMBEDDER, "encoder")
    return model, embedder


def read_goal(args: argparse.Namespace, columns: Mapping[str, str]) -> OwnRows | None:
    """Return the rows of --goal; its columns are those of the pool, or found by looking where it has others."""
    if args.goal is None:
        return None
    try:
        goal = read_own(args.goal, "--goal", columns, args.turns)
    except UserError:
        if not columns:
            raise
        goal = read_own(args.goal, "--goal", {}, args.turns)
    say(goal.said)
    return goal


def known_prompt(name: str | None) -> str | None:
    """Return the name of a wording. Raises `UserError` for one that the config lacks."""
    known = read_yaml(ROOT / "config" / "config.yaml")["prompts"]
    if name is not None and name not in known:
        raise UserError(f"--prompt: unknown wording '{name}'{did_you_mean(name, list(known))}; use {', '.join(known)}")
    return name


def folder_of(args: argparse.Namespace) -> Path:
    """Return the folder for results: --out, or beside where one stands, named like the pool."""
    out = args.out if args.out is not None else Path(f"{args.pool.name.split('.')[0]}_thrift")
    return out.resolve()
