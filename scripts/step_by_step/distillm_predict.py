"""`distillm predict`: answer new inputs with a model that distillm trained."""

from __future__ import annotations

import argparse
import logging
import os
from pathlib import Path
from typing import Any, Mapping, NoReturn, Sequence

from scripts.common.errors import UserError, did_you_mean
from scripts.common.files import read_json, write_jsonl

LOG = logging.getLogger(__name__)

SAVED_SETTINGS = "distillm.json"
LONGEST_REASONS = 256  # tokens, as rationales have in training


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the line breaks of our examples and shows the defaults that say something."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28)

    def _get_help_string(self, action: argparse.Action) -> str:
        text = action.help or ""
        silent = action.default is None or action.default is False or action.default == argparse.SUPPRESS
        return text if silent or not action.option_strings else f"{text} [%(default)s]"


class OneLineParser(argparse.ArgumentParser):
    """Reports a wrong command line in one line, with the flag that was perhaps meant."""

    def error(self, message: str) -> NoReturn:
        """Raise `UserError`: the usage of forty flags would hide the fault."""
        raise UserError(f"{message}; see {self.prog} --help")

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """Return the values of the flags. Raises `UserError` for an unknown one."""
        args, unknown = self.parse_known_args(words)
        if unknown:
            flags = [name for action in self._actions for name in action.option_strings]
            close = did_you_mean(unknown[0].partition("=")[0], flags)
            raise UserError(f"{unknown[0]}: unknown flag{close}; see {self.prog} --help")
        return args


def predict_parser() -> OneLineParser:
    """Return the parser of `distillm predict`."""
    parser = OneLineParser(
        allow_abbrev=False,
        prog="distillm predict",
        description="Answer new inputs with a model that distillm trained.",
        formatter_class=HelpFormatter,
    )
    parser.add_argument("--model", required=True, type=Path, metavar="FOLDER", help="the output_dir of a training run")
    parser.add_argument("--input", required=True, type=Path, metavar="FILE", help="rows with the field input, any form")
    parser.add_argument("--predictions_out", required=True, type=Path, metavar="FILE", help="JSON lines to write")
    parser.add_argument("--rationale", action="store_true", help="also write the reasons (task_prefix models)")
    parser.add_argument("--batch_size", type=int, default=64, metavar="N", help="rows per forward pass")
    parser.add_argument("--bf16", action="store_true", help="bfloat16 arithmetic (GPU)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, metavar="N", help="CPU threads")
    return parser


def predict_rows(args: argparse.Namespace) -> None:
    """Answer each row of a file and write the rows with their answers."""
    from scripts.data.reader_reasoning import loose_json_records, refuse_rows

    saved = args.model / SAVED_SETTINGS
    if not saved.is_file():
        raise UserError(f"--model: {args.model} has no {SAVED_SETTINGS}; name the output_dir of a distillm run")
    settings = read_json(saved)
    if args.rationale and settings["model_type"] != "task_prefix":
        raise UserError(
            f"--rationale: a {settings['model_type']} model writes no reasons; train with --model_type task_prefix"
        )
    rows = [record.values for record in loose_json_records(args.input)]
    faults = [
        f"row {i}" for i, row in enumerate(rows) if not isinstance(row.get("input"), str) or not row["input"].strip()
    ]
    refuse_rows(args.input, faults, len(rows), "have no text in the field 'input'", "fill or remove them")
    if settings["model_type"] == "pinto":
        faults = [f"row {i}" for i, row in enumerate(rows) if not row.get("rationale")]
        refuse_rows(args.input, faults, len(rows), "have no rationale, which a pinto model reads", "fill the field")
    answers = _answers(args, settings, rows)
    write_jsonl(args.predictions_out, [{**row, **answer} for row, answer in zip(rows, answers)])
    LOG.info("%s: %d rows", args.predictions_out, len(rows))


def _answers(
    args: argparse.Namespace, settings: Mapping[str, Any], rows: Sequence[dict[str, Any]]
) -> list[dict[str, str]]:
    """Return prediction and, if asked for, rationale of each row."""
    from scripts.lm.load import load_model
    from scripts.step_by_step.encoding import question_of
    from scripts.step_by_step.parsing import label_of_output
    from scripts.step_by_step.training import predict

    loaded = load_model(
        str(args.model / "model"), family="encoder_decoder", dtype="float32", device=args.device, threads=args.threads
    )
    method = settings["model_type"]
    inputs = [row["input"] for row in rows]
    if method == "pinto":
        inputs = [question_of(row, method, loaded.tokenizer.eos_token) for row in rows]
    options = {
        "method": method,
        "max_input_length": settings["max_input_length"],
        "batch_size": args.batch_size,
        "bf16": args.bf16,
    }
    longest = settings["gen_max_len"] - 1
    if method == "single_task":
        texts = predict(loaded, inputs, gen_max_len=LONGEST_REASONS, **options)
        labels = [label_of_output(settings["dataset"], text) for text in texts]
        return [{"prediction": label, "output": text} for label, text in zip(labels, texts)]
    answers = [{"prediction": text} for text in predict(loaded, inputs, gen_max_len=longest, **options)]
    if args.rationale:
        for answer, text in zip(
            answers, predict(loaded, inputs, gen_max_len=LONGEST_REASONS, task="explain", **options)
        ):
            answer["predicted_rationale"] = text
    return answers
