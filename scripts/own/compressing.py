"""`thrift compress` and `thrift answer`: demonstrations as vectors (MEND), and questions asked behind them.

Both are MEND's own steps, with a model looked up as everywhere here and the rest of their flags filled in.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Sequence

from scripts.common.errors import UserError
from scripts.data.registry import load_registry, model_source
from scripts.mend import distill_demonstrations, score_queries
from scripts.own.flags import OneLineParser
from scripts.own.models import find_model
from scripts.own.run_folder import DOWNLOADS, ROOT, say
from scripts.own.settings import MODEL


def _parser(name: str, description: str, rows: str) -> tuple[OneLineParser, argparse._ArgumentGroup]:
    built = OneLineParser(name, description)
    data = built.add_argument_group("data")
    data.add_argument("rows", type=Path, metavar="ROWS", help=rows)
    return built, data


def _add_model(built: OneLineParser) -> None:
    group = built.add_argument_group("model")
    group.add_argument("--model", required=True, metavar="NAME", help="the language model that reads the vectors")
    machine = built.add_argument_group("machine")
    machine.add_argument("--threads", type=int, metavar="N", default=2, help="CPU threads")


def compress_parser() -> OneLineParser:
    """Return the parser of `compress`."""
    built, data = _parser(
        "compress", "Turn demonstrations into a few vectors.", "demonstrations: JSON lines with input, output, options"
    )
    data.add_argument("--vectors", type=Path, metavar="FILE", default=Path("vectors.safetensors"), help="to write")
    _add_model(built)
    group = built.add_argument_group("method")
    group.add_argument(
        "--distiller", type=Path, required=True, metavar="DIR", help="folder of a distiller for that model"
    )
    return built


def answer_parser() -> OneLineParser:
    """Return the parser of `answer`."""
    built, data = _parser("answer", "Ask a model behind compressed demonstrations.", "questions: rows with input")
    data.add_argument("--with", dest="vectors", type=Path, required=True, metavar="FILE", help="vectors of `compress`")
    data.add_argument("--answers", type=Path, metavar="FILE", default=Path("answers.jsonl"), help="to write")
    _add_model(built)
    return built


def compress(words: Sequence[str]) -> None:
    """Distil demonstrations into a file of vectors."""
    args = compress_parser().parse(words)
    _check(args, "demonstrations")
    if not args.distiller.is_dir():
        raise UserError(f"--distiller: {args.distiller} is no folder; name one that MEND's training left")
    flags = ["--demonstrations", str(args.rows), "--distiller", str(args.distiller), "--vectors-out", str(args.vectors)]
    distill_demonstrations.main([*flags, *_model_flags(args)])
    say(f"vectors: {args.vectors}; ask behind them: thrift answer QUESTIONS --with {args.vectors} --model {args.model}")


def answer(words: Sequence[str]) -> None:
    """Answer questions behind a file of vectors."""
    args = answer_parser().parse(words)
    _check(args, "questions")
    if not args.vectors.is_file():
        raise UserError(f"--with: {args.vectors}: no such file; make it by thrift compress")
    flags = ["--vectors", str(args.vectors), "--queries", str(args.rows), "--predictions-out", str(args.answers)]
    score_queries.main([*flags, *_model_flags(args)])
    say(f"answers: {args.answers}")


def _check(args: argparse.Namespace, what: str) -> None:
    if not args.rows.is_file():
        raise UserError(f"ROWS: {args.rows}: no such file; name the file of {what}")
    if args.threads < 1:
        raise UserError(f"--threads: {args.threads} is too few; give 1 or more")


def _model_flags(args: argparse.Namespace) -> list[str]:
    """Return the flags on the model. A registered one is loaded from where the workflow puts it."""
    model = find_model(args.model, "--model", ROOT, MODEL)
    if model.row is not None:
        source = model.row.get("local") or model.row["hub"]
    else:
        source = str(ROOT / model_source(load_registry("models", (), ROOT / "config"), model.name,
                                         downloads_root=f"{DOWNLOADS}/models"))  # fmt: skip
    return ["--model", source, "--dtype", "auto", "--device", "auto", "--threads", str(args.threads)]
