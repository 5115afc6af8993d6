"""`distillm predict` and `distillm evaluate`: ask a model that distillm trained, and say how often it is right."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from scripts.common.errors import UserError
from scripts.common.files import read_json, write_jsonl
from scripts.step_by_step.distillm_flags import (
    PREDICT_HINTS,
    PREDICT_SYNONYMS,
    HelpFormatter,
    OneLineParser,
    add_column_flags,
)
from scripts.step_by_step.distillm_output import SAVED_SETTINGS, UNFINISHED

if TYPE_CHECKING:
    from scripts.data.rows import Record

LOG = logging.getLogger(__name__)

FIELDS = ("input", "label", "rationale")
LENGTHS = ("max_input_length", "max_target_length", "gen_max_len")


@dataclasses.dataclass(frozen=True)
class AskedLengths:
    """Longest input, rationale and label in tokens, with what closes them."""

    max_input_length: int
    max_target_length: int
    gen_max_len: int


def predict_parser(command: str = "predict") -> OneLineParser:
    """Return the parser of `distillm predict`, or of `distillm evaluate`, which need not write its answers."""
    asked = command == "predict"
    about = "Answer new inputs with a model that distillm trained; with labels, say how many answers are right."
    parser = OneLineParser(
        allow_abbrev=False,
        prog=f"distillm {command}",
        description=about if asked else "Say how often a model that distillm trained is right on labelled rows.",
        formatter_class=HelpFormatter,
    )
    parser.synonyms, parser.hints = PREDICT_SYNONYMS, PREDICT_HINTS
    parser.add_argument("--model", required=True, type=Path, metavar="FOLDER", help="the output_dir of a training run")
    parser.add_argument(
        "--input", required=True, type=Path, metavar="FILE", help="rows in any form that training reads"
    )
    parser.add_argument(
        "--predictions_out", required=asked, type=Path, metavar="FILE", help="JSON lines to write: rows and answers"
    )
    add_column_flags(parser, " [as in training]")
    parser.add_argument("--rationale", action="store_true", help="also write the reasons (task_prefix models)")
    for name, what in zip(LENGTHS, ("input", "rationale", "answer (plus one)")):
        parser.add_argument(f"--{name}", type=int, metavar="N", help=f"longest {what} in tokens [as in training]")
    parser.add_argument("--batch_size", type=int, default=64, metavar="N", help="rows per forward pass")
    parser.add_argument("--bf16", action="store_true", help="bfloat16 arithmetic (GPU)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, metavar="N", help="CPU threads")
    return parser


def predict_rows(args: argparse.Namespace, *, evaluate: bool = False) -> None:
    """Answer each row of a file, write the rows with their answers, and print accuracy and n where labels are there.

    evaluate: labels must be there.
    """
    settings = read_saved(args.model)
    if args.rationale and settings["model_type"] != "task_prefix":
        raise UserError(
            f"--rationale: a {settings['model_type']} model writes no reasons; train with --model_type task_prefix"
        )
    if args.batch_size < 1:
        raise UserError(f"--batch_size: {args.batch_size} is below 1; give the number of rows per forward pass")
    rows = read_rows(args, settings, needed=("input", "label") if evaluate else ("input",))
    loaded, answers = _answers(args, settings, rows)
    if args.predictions_out is not None:
        write_jsonl(args.predictions_out, [{**row.shown, **answer} for row, answer in zip(rows, answers)])
        LOG.info("%s: %d rows", args.predictions_out, len(rows))
    _tell_accuracy(args, settings, loaded, rows, answers, evaluate)


def read_saved(folder: Path) -> dict[str, Any]:
    """Return the flags that a model was trained with. Raises `UserError` for a folder that holds no whole model."""
    if not (folder / SAVED_SETTINGS).is_file():
        if (folder / UNFINISHED).is_file():
            raise UserError(
                f"--model: the training in {folder} has not ended; run it again, it goes on where it stopped"
            )
        raise UserError(f"--model: {folder} has no {SAVED_SETTINGS}; name the output_dir of a distillm run")
    return dict(read_json(folder / SAVED_SETTINGS))


@dataclasses.dataclass(frozen=True)
class AskedRow:
    """One row to answer: as the file has it, the text to read, its label (empty if none) and its rationale."""

    shown: dict[str, Any]
    input: str
    label: str
    rationale: str


def read_rows(args: argparse.Namespace, settings: Mapping[str, Any], needed: Sequence[str]) -> list[AskedRow]:
    """Return the rows of `--input`, read as training reads them.

    A file of one of the paper's sets is read as that set where the model was trained on it.
    Raises `UserError` for columns and texts that are missing.
    """
    from scripts.data.reader_reasoning import refuse_rows
    from scripts.data.readers import read_raw
    from scripts.step_by_step.data import READERS
    from scripts.step_by_step.own_files import FLAGS, check_columns, columns_of, layout_of, read_records

    flags = {name[2:]: getattr(args, name[2:]) or settings.get(name[2:]) for name in FLAGS.values()}
    columns = columns_of(flags)
    layout = layout_of({name: getattr(args, name) or settings.get(name) for name in ("delimiter", "quoting")})
    dataset = settings["dataset"]
    if not args.input.is_file():
        raise UserError(f"{args.input}: no such file; check the path")
    records = read_records(args.input, {}, (), layout)
    if dataset != "generic" and "input" not in columns and not any("input" in one.values for one in records):
        table = {"delimiter": layout.delimiter, "quoting": layout.quoting}
        own = read_raw(args.input, READERS[dataset], "distillation", **table)
        kept = ("input", "label", "options")
        return [AskedRow({name: row[name] for name in kept}, row["input"], row["label"], "") for row in own]
    asked = {*needed, *(field for field, flag in FLAGS.items() if getattr(args, flag[2:]))}
    check_columns(args.input, records, {field: columns[field] for field in asked & columns.keys()}, needed)
    rows = _asked(records, columns)
    faults = [f"row {number}" for number, row in enumerate(rows) if not row.input.strip()]
    column = columns.get("input", "input")
    refuse_rows(args.input, faults, len(rows), f"have no text in the field '{column}'", "fill or remove them")
    if settings["model_type"] == "pinto":
        faults = [f"row {number}" for number, row in enumerate(rows) if not row.rationale.strip()]
        remedy = f"fill the field '{columns.get('rationale', 'rationale')}' or name yours with --rationale_column"
        refuse_rows(args.input, faults, len(rows), "have no rationale, which a pinto model reads", remedy)
    return rows


def _asked(records: Sequence[Record], columns: Mapping[str, str]) -> list[AskedRow]:
    """Return rows with their texts as training reads them; a label or rationale that is not there is empty."""
    from scripts.data.reader_base import column_names, to_rows
    from scripts.data.rows import Record
    from scripts.data.schemas import find_schema
    from scripts.step_by_step.own_files import has_column

    names = [name for field in ("label", "rationale") for name in column_names(columns.get(field, field))]
    filled = [
        Record(one.place, {**{name: "" for name in names if not has_column(one, name)}, **one.values})
        for one in records
    ]
    read = to_rows(filled, find_schema("distillation"), columns)
    texts = [{name: row[name] if isinstance(row[name], str) else "" for name in FIELDS} for row in read]
    return [AskedRow(dict(one.values), **row) for one, row in zip(records, texts)]


def _answers(
    args: argparse.Namespace, settings: Mapping[str, Any], rows: Sequence[AskedRow]
) -> tuple[Any, list[dict[str, str]]]:
    """Return the loaded model, and prediction and, if asked for, rationale of each row."""
    from scripts.step_by_step.cuts import CutReport
    from scripts.step_by_step.encoding import question_of
    from scripts.step_by_step.parsing import label_of_output
    from scripts.step_by_step.student_models import load_student
    from scripts.step_by_step.training import predict

    method = settings["model_type"]
    loaded = load_student(str(args.model / "model"), method=method, device=args.device, threads=args.threads)
    inputs = [row.input for row in rows]
    if method == "pinto":
        end = loaded.tokenizer.eos_token
        inputs = [question_of({"input": row.input, "rationale": row.rationale}, method, end) for row in rows]
    options = {
        "method": method,
        "lengths": asked_lengths(args, settings),
        "batch_size": args.batch_size,
        "bf16": args.bf16,
        "cuts": CutReport({name: f"--{name}" for name in LENGTHS}, counted=1),
    }
    texts = predict(loaded, inputs, **options)
    if method == "single_task":
        labels = [label_of_output(settings["dataset"], text) for text in texts]
        return loaded, [{"prediction": label, "output": text} for label, text in zip(labels, texts)]
    answers = [{"prediction": text} for text in texts]
    if args.rationale:
        for answer, text in zip(answers, predict(loaded, inputs, task="explain", **options)):
            answer["predicted_rationale"] = text
    return loaded, answers


def asked_lengths(args: argparse.Namespace, settings: Mapping[str, Any]) -> AskedLengths:
    """Return the lengths asked for, else those of training. Raises `UserError` for one without room for a text."""
    known = {"max_target_length": 256, **settings}  # models of earlier versions have no such flag
    asked = {name: known[name] if getattr(args, name) is None else getattr(args, name) for name in LENGTHS}
    for name, value in asked.items():
        if value < 2:
            raise UserError(f"--{name}: {value} leaves no room for a text; give at least 2")
    return AskedLengths(**{**asked, "gen_max_len": asked["gen_max_len"] - 1})  # the original counts the start token


def _tell_accuracy(
    args: argparse.Namespace,
    settings: Mapping[str, Any],
    loaded: Any,
    rows: Sequence[AskedRow],
    answers: Sequence[Mapping[str, str]],
    evaluate: bool,
) -> None:
    """Print the share of right answers and of how many rows. Raises `UserError` where labels are needed and missing."""
    from scripts.step_by_step.equations import correct_rows
    from scripts.step_by_step.exams import through_tokens
    from scripts.step_by_step.parsing import find_format

    labelled = [(row.label, answer["prediction"]) for row, answer in zip(rows, answers) if row.label.strip()]
    if not labelled:
        if evaluate:
            raise UserError(f"{args.input}: none of {len(rows)} rows has a label to compare with; fill the labels")
        return
    if len(labelled) < len(rows):
        LOG.warning(
            "%s: %d of %d rows have no label and are not counted", args.input, len(rows) - len(labelled), len(rows)
        )
    metric = find_format(settings["dataset"]).metric
    known = {"blanks": "compared", "unknown_words": "wrong", **settings}  # models of earlier versions lack these flags
    wanted = through_tokens(loaded, [label for label, _ in labelled], known["unknown_words"])
    right = sum(correct_rows(metric, [told for _, told in labelled], wanted, known["blanks"]))
    sys.stdout.write(f"accuracy {100 * right / len(labelled):.2f} % ({right} right), n = {len(labelled)}\n")
    sys.stdout.flush()
