"""The command line of `thrift`: a parser whose faults are one line, and the groups of flags that commands share."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path
from typing import NoReturn, Sequence

from scripts.common.errors import UserError, did_you_mean
from scripts.data.chat import WAYS

ROOT = Path(__file__).resolve().parents[2]
EXPORTS = ("llama-factory", "axolotl", "trl")


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Keeps our line breaks, shows the defaults that say something and takes little room."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=22, width=100)

    def _get_help_string(self, action: argparse.Action) -> str:
        text = action.help or ""
        silent = action.default is None or action.default is False or action.default == argparse.SUPPRESS
        return text if silent or not action.option_strings else f"{text} [%(default)s]"


class OneLineParser(argparse.ArgumentParser):
    """Reports a wrong command line in one line, with the flag that was perhaps meant."""

    def __init__(self, name: str, description: str, **more: str) -> None:
        super().__init__(
            prog=f"thrift {name}",
            description=description,
            formatter_class=HelpFormatter,
            allow_abbrev=False,
            add_help=False,
            **more,
        )
        self.add_argument("-h", "--help", action="help", help=argparse.SUPPRESS)

    def format_usage(self) -> str:
        """Return what a command needs; its flags stand below, grouped."""
        words = [
            f"[{action.metavar}]" if action.nargs == "?" else action.metavar
            for action in self._actions
            if not action.option_strings
        ]
        words += [
            f"{action.option_strings[0]} {action.metavar}"
            for action in self._actions
            if action.required and action.option_strings
        ]
        return f"usage: {self.prog} {' '.join(map(str, words))} [flags]\n"

    def format_help(self) -> str:
        """Return the help: a screen, without the usage that repeats all flags."""
        text = super().format_help()
        return self.format_usage() + text[text.index("\n\n") + 1 :]

    def error(self, message: str) -> NoReturn:
        """Raise `UserError`: the usage would hide the fault."""
        known = re.match(r"argument (\S+?)(?:/\S+)?: (.*)", message)
        told = f"{known[1]}: {known[2]}" if known else message
        raise UserError(f"{told}; see {self.prog} --help")

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """Return the values of the flags. Raises `UserError` for an unknown one."""
        args, unknown = self.parse_known_args(list(words))
        if unknown:
            flags = [name for action in self._actions for name in action.option_strings]
            close = did_you_mean(unknown[0].partition("=")[0], flags)
            what = "unknown flag" if unknown[0].startswith("-") else "a word without a flag"
            raise UserError(f"{unknown[0]}: {what}{close}; see {self.prog} --help")
        return args


def add_data_flags(parser: OneLineParser, pool: str) -> argparse._ArgumentGroup:
    """Add the flags on the rows that are read; `pool` says what the file holds."""
    group = parser.add_argument_group("data")
    forms = "JSON, JSON lines, CSV, TSV, parquet; packed too"
    group.add_argument("pool", type=Path, metavar="POOL", help=f"{pool}: {forms}")
    group.add_argument("--columns", metavar="A,B", help="columns of question and answer, if not found by looking")
    which = "answer of a conversation that counts: first or last"
    group.add_argument("--turns", choices=WAYS, default="first", metavar="WHICH", help=which)
    return group


def add_model_flags(parser: OneLineParser, needed: str) -> argparse._ArgumentGroup:
    """Add the flags on models."""
    group = parser.add_argument_group("model")
    group.add_argument("--model", metavar="NAME", help=f"folder, GGUF file, hub id or registered name; {needed}")
    group.add_argument(
        "--embedder", metavar="NAME", help="encoder for likeness, named likewise; else the model's own vectors"
    )
    group.add_argument(
        "--prompt", metavar="NAME", help="wording of a question: alpaca, chat, ...; else each paper's own"
    )
    return group


def add_machine_flags(parser: OneLineParser) -> argparse._ArgumentGroup:
    """Add the flags on where and how the workflow runs."""
    group = parser.add_argument_group("machine")
    group.add_argument("--cores", type=int, metavar="N", default=os.cpu_count() or 1, help="processor cores to use")
    group.add_argument("--profile", type=Path, metavar="DIR", help="run elsewhere, e.g. profiles/slurm")
    group.add_argument("--out", type=Path, metavar="DIR", help="results and work in progress; else POOL_thrift")
    group.add_argument("--dry-run", action="store_true", help="say jobs, model passes and minutes, run nothing")
    group.add_argument("--config-only", action="store_true", help="write the workflow's YAML and stop")
    return group


def check_machine(args: argparse.Namespace) -> None:
    """Raise `UserError` for values of the machine's flags that cannot work."""
    if args.cores < 1:
        raise UserError(f"--cores: {args.cores} is too few; give 1 or more")
    if args.profile is not None and not args.profile.exists():  # one of the repository's, from wherever one stands
        args.profile = ROOT / args.profile
    if args.profile is not None and not (args.profile / "config.yaml").is_file():
        raise UserError(
            f"--profile: {args.profile.name} has no config.yaml; name a profile's folder, e.g. profiles/slurm"
        )
    if args.out is not None and args.out.is_file():
        raise UserError(f"--out: {args.out} is a file; name a folder")


def size_kept(text: str, n_pool: int) -> int:
    """Return how many rows `--keep` asks for: a share such as 10%, or a number of rows.

    A share is whole rows, the rest dropped, at least one. Raises `UserError` for what is neither or not in the pool.
    """
    from scripts.common.sizes import subset_size

    share = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*%", text.strip())
    if share:
        percent = float(share[1])
        if not 0 < percent <= 100:
            raise UserError(f"--keep: {text} is no part of the pool; give more than 0% and at most 100%")
        return subset_size(n_pool, percent / 100, "--keep")
    if re.fullmatch(r"[0-9]+", text.strip()):
        rows = int(text)
        if not 0 < rows <= n_pool:
            raise UserError(
                f"--keep: {rows} rows of {n_pool} cannot be kept; give 1 to {n_pool}, or a share such as 10%"
            )
        return rows
    raise UserError(f"--keep: '{text}' is neither a share nor a number of rows; write 10% or 500")
