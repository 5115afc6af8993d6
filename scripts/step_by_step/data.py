"""From gold files and a teacher's raw answers to the rows a student is trained on, with a count of what went wrong."""

from __future__ import annotations

import logging
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError
from scripts.common.files import PathLike
from scripts.data.reader_reasoning import refuse_rows
from scripts.data.readers import read_raw
from scripts.step_by_step.equations import accuracy, correct_rows
from scripts.step_by_step.parsing import FAULTS, Answer, find_format, parse

LOG = logging.getLogger(__name__)

READERS = {
    "esnli": "nli_pairs",
    "anli1": "nli_pairs",
    "cqa": "cos_e",
    "svamp": "svamp",
    "asdiv": "asdiv_xml",
    "generic": "generic_json",
}
"""Format -> reader of its released files."""


def read_gold(paths: Sequence[PathLike], reader: str, **options: Any) -> list[dict[str, Any]]:
    """Return the rows of one split (schema distillation) from its files in this order; ids count over all of them.

    options: columns, labels, header, delimiter, quoting, as in `read_raw`. Raises `UserError` for an empty file or
    empty labels.
    """
    rows = [row for path in paths for row in read_raw(path, reader, "distillation", **options)]
    for number, row in enumerate(rows):
        row["id"] = str(number)
    empty = [f"row {row['id']}" for row in rows if not row["label"].strip()]
    refuse_rows(paths[0], empty, len(rows), "have an empty label", "fill the field 'label' or remove the rows")
    return rows


def read_answers(paths: Sequence[PathLike]) -> list[str]:
    """Return a teacher's raw answers from its files, in this order."""
    return [row["text"] for path in paths for row in read_raw(path, "llm_outputs", "teacher")]


def own_reasons(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows whose own columns serve as the teacher's: rationale, and llm_label or, without it, label.

    The fork knows the columns label and rationale only, so that --label_type gt and llm are the same there.
    """
    return [{**row, "llm_label": row["llm_label"] or row["label"]} for row in rows]


def require_rationales(rows: Sequence[Mapping[str, Any]], source: PathLike) -> None:
    """Raise `UserError` with the number of rows without rationale, which training on rationales cannot use."""
    empty = [f"row {row['id']}" for row in rows if not row["rationale"].strip()]
    if len(empty) == len(rows):
        raise UserError(
            f"{source}: none of {len(rows)} rows has a rationale; fill the field 'rationale' or train on labels alone "
            "(model type standard)"
        )
    remedy = "fill the field 'rationale', remove the rows or train on labels alone (model type standard)"
    refuse_rows(source, empty, len(rows), "have no rationale", remedy)


def align(rows: Sequence[dict[str, Any]], answers: Sequence[str], split: str, source: str) -> list[dict[str, Any]]:
    """Return the rows that have an answer: row i belongs to answer i.

    Training rows beyond the last answer are left out, as the released code does with e-SNLI's first batches.
    Raises `UserError` where answers outnumber rows, or rows other than training rows lack answers.
    """
    if len(answers) > len(rows) or (len(answers) < len(rows) and split != "train") or not answers:
        raise UserError(
            f"{source}: {len(answers)} answers for {len(rows)} rows of split {split}; "
            "give the answer files of this split, all of them, in their order"
        )
    if len(answers) < len(rows):
        LOG.warning("%s: rows %d to %d have no answers and are left out", source, len(answers), len(rows) - 1)
    return list(rows[: len(answers)])


def with_answers(
    rows: Sequence[dict[str, Any]], answers: Sequence[str], *, format_name: str, parser: str, teacher: str
) -> tuple[list[dict[str, Any]], list[Answer]]:
    """Return the rows with the teacher's reasons and label beside each gold label, and what was read of each answer."""
    read = [parse(text, format_name, parser, teacher) for text in answers]
    return [{**row, "rationale": one.rationale, "llm_label": one.label} for row, one in zip(rows, read)], read


def count_answers(
    rows: Sequence[Mapping[str, Any]], read: Sequence[Answer], format_name: str, source: str, blanks: str = "compared"
) -> dict[str, Any]:
    """Return how well the answers could be read and how often they are right. Raises `UserError` if none could.

    blanks: whether those around a text label are `compared` or `ignored`.
    """
    faults = {fault: sum(one.fault == fault for one in read) for fault in FAULTS}
    n_faulty = sum(faults.values())
    if n_faulty == len(read):
        raise UserError(
            f"{source}: none of {len(read)} answers could be read ({_listed(faults)}); "
            f"check that they are answers in the form of '{format_name}'"
        )
    if n_faulty:
        LOG.warning("%s: %d of %d answers could not be read (%s)", source, n_faulty, len(read), _listed(faults))
    metric = find_format(format_name).metric
    labels, told = [row["label"] for row in rows], [row["llm_label"] for row in rows]
    return {
        "faults": faults,
        "parse_rate": 1 - n_faulty / len(read),
        "n_blank_labels": sum(not label.strip() for label in told),
        "n_blank_rationales": sum(not row["rationale"].strip() for row in rows),
        "n_labels_not_among_options": sum(
            bool(row["options"]) and row["llm_label"] not in row["options"] for row in rows
        ),
        "accuracy": accuracy(metric, told, labels, blanks),
        "n_correct": sum(correct_rows(metric, told, labels, blanks)),
    }


def _listed(faults: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {fault.replace('_', ' ')}" for fault, count in faults.items() if count)
