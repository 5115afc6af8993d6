"""Join the gold rows of one split with a teacher's raw answers, and count what was dropped, blank or malformed.

Distilling Step-by-Step, section 3.1 and appendix A.2.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import write_json
from scripts.common.step_parser import StepParser
from scripts.data.schemas import write_examples
from scripts.step_by_step.data import (
    READERS,
    align,
    count_answers,
    own_reasons,
    read_answers,
    read_gold,
    with_answers,
)
from scripts.step_by_step.settings_rows import PrepareSettings

LOG = logging.getLogger(__name__)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = StepParser(description=__doc__)
    parser.add_argument("--gold", required=True, type=Path, nargs="+", help="files of the split, in their order")
    parser.add_argument(
        "--llm", type=Path, nargs="+", default=[], help="files of the teacher's answers, in their order"
    )
    parser.add_settings(PrepareSettings)
    parser.add_argument("--examples-out", required=True, type=Path, help="rows of schema distillation")
    parser.add_argument("--report-out", required=True, type=Path, help="counts, JSON")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read, join, count, write."""
    args = parse_args(argv)
    settings: PrepareSettings = args.settings
    rows, report = prepare(args.gold, args.llm, settings)
    write_examples(args.examples_out, rows, "distillation")
    write_json(args.report_out, report)
    LOG.info("%s: %d rows of %s/%s", args.examples_out, len(rows), settings.dataset, settings.split)


def prepare(
    gold: Sequence[Path], llm: Sequence[Path], settings: PrepareSettings
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the rows of one split in schema distillation, and the report on them.

    Raises `UserError` where answers and rows do not fit together or no answer can be read.
    """
    reads = settings.teacher in ("palm", "gpt")
    if reads != bool(llm):
        need = "needs the files of its answers under --llm" if reads else "takes no files of answers under --llm"
        raise UserError(f"{settings.dataset}: teacher {settings.teacher} {need}")
    found = read_gold(
        gold,
        settings.reader or READERS[settings.format],
        columns=settings.columns or {},
        labels=settings.labels,
        header=settings.header,
        delimiter=settings.delimiter,
        quoting=settings.quoting,
    )
    report: dict[str, Any] = {
        "dataset": settings.dataset,
        "split": settings.split,
        "teacher": settings.teacher,
        "parser": settings.parser if reads else None,
        "n_gold": len(found),
        "n_without_answer": 0,
        "n_dropped": 0,
    }
    rows = own_reasons(found) if settings.teacher == "generic" else [{**row, "rationale": ""} for row in found]
    if reads:
        answers = read_answers(llm)
        source = f"{settings.dataset}/{settings.split}, answers of {settings.teacher}"
        rows = align(rows, answers, settings.split, source)
        rows, read = with_answers(
            rows, answers, format_name=settings.format, parser=settings.parser, teacher=settings.teacher
        )
        report["n_without_answer"] = len(found) - len(rows)
        report["answers"] = count_answers(rows, read, settings.format, source, settings.blanks)
        if settings.unparsed == "drop" and settings.split == "train":
            rows = [row for row, one in zip(rows, read) if not one.fault]
            report["n_dropped"] = len(read) - len(rows)
    return rows, {**report, "n_rows": len(rows)}


if __name__ == "__main__":
    run_step(main)
