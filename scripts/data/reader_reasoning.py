"""Readers of reasoning data: e-SNLI, ANLI, CoS-E, SVAMP, ASDiv, one's own rows, and language models' raw answers.

Inputs are put together as Distilling Step-by-Step's code does, so that a model trained with
either reads the same text.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable, Sequence
from xml.etree import ElementTree

from scripts.common.errors import UserError
from scripts.common.files import PathLike, read_json, read_text
from scripts.data.reader_base import Record, json_records, parquet_records, table_records, value_of

VERDICTS = ("entailment", "neutral", "contradiction")
"""Names of the classes 0, 1, 2 of e-SNLI and ANLI."""
END_OF_TEXT = "</s>"
"""T5's end-of-text token, which parts premise and hypothesis; a tokenizer reads it as one token."""
SHARE_SHOWN = 3  # faulty rows named in a message


def refuse_rows(path: PathLike, faults: Sequence[str], total: int, what: str, remedy: str) -> None:
    """Raise `UserError` with the number of faulty rows and the first of them; do nothing if there are none."""
    if faults:
        shown = ", ".join(faults[:SHARE_SHOWN]) + (", ..." if len(faults) > SHARE_SHOWN else "")
        raise UserError(f"{path}: {len(faults)} of {total} rows {what} ({shown}); {remedy}")


def _place(record: Record, path: PathLike) -> str:
    """Return where a row stands without the file's name, which the message says already."""
    return record.place.removeprefix(f"{path}:").strip()


def loose_json_records(path: PathLike) -> list[Record]:
    """Read JSON lines, a JSON list, objects one after the other (indented or not), or one object: whichever is there.

    Raises `UserError` naming the line where the file breaks, or the row that is no object.
    """
    text = read_text(path)
    if not text.strip():
        raise UserError(f"{path}: the file is empty; expected objects with the fields input, label and rationale")
    if text.lstrip().startswith("["):
        return json_records(path)
    records, place, decoder = [], 0, json.JSONDecoder()
    while place < len(text):
        while place < len(text) and text[place] in " \t\r\n,":
            place += 1
        if place == len(text):
            break
        line = text.count("\n", 0, place) + 1
        try:
            value, place = decoder.raw_decode(text, place)
        except json.JSONDecodeError as error:
            raise UserError(
                f"{path}:{error.lineno}: broken JSON ({error.msg}, column {error.colno}); mend or remove that line"
            ) from None
        if not isinstance(value, dict):
            raise UserError(f"{path}:{line}: expected a JSON object, found {type(value).__name__}")
        records.append(Record(f"{path}:{line}", value))
    return records


def _records(path: PathLike) -> list[Record]:
    """Read rows from parquet, CSV or JSON, by the file's name."""
    name = Path(path).name.removesuffix(".gz")
    if name.endswith(".parquet"):
        return parquet_records(path)
    if name.endswith(".csv"):
        return table_records(path, delimiter=",", quoted=True)
    return json_records(path)


def inference_pairs(path: PathLike) -> list[Record]:
    """Read e-SNLI or ANLI: JSON or parquet with premise, hypothesis, class number, or e-SNLI's own CSV.

    The human explanations are not read: the paper never uses them.
    """
    records, faults, source = [], [], _records(path)
    for record in source:
        own = "Sentence1" in record.values
        texts = [value_of(record, name) for name in (("Sentence1", "Sentence2") if own else ("premise", "hypothesis"))]
        label = value_of(record, "gold_label" if own else "label")
        if isinstance(label, str) and label.isdecimal():
            label = int(label)
        if isinstance(label, int) and not isinstance(label, bool) and 0 <= label < len(VERDICTS):
            label = VERDICTS[label]
        if label not in VERDICTS:
            faults.append(f"{_place(record, path)}: {label!r:.40}")
        if not all(isinstance(text, str) for text in texts):
            raise UserError(f"{record.place}: premise and hypothesis must be text; mend the row")
        values = {"input": END_OF_TEXT.join(texts), "label": label, "options": list(VERDICTS)}
        records.append(Record(record.place, values))
    known = f"{', '.join(VERDICTS)} or 0, 1, 2"
    refuse_rows(path, faults, len(source), "have an unknown label", f"expected {known}: mend or remove the rows")
    return records


def choice_text(question: str, choices: Sequence[str]) -> str:
    """Return a question with its choices below it, one a line, "(a) ...", "(b) ..."."""
    lines = [f"({letter}) {choice}" for letter, choice in zip("abcdefghijklmnopqrstuvwxyz", choices)]
    return "\n".join([question, "Answer Choices:", *lines])


def choice_questions(path: PathLike) -> list[Record]:
    """Read CoS-E (CommonsenseQA with explanations): the choices follow the question, one a line with their letters."""
    records, faults, source = [], [], _records(path)
    for record in source:
        question, choices, answer = (value_of(record, name) for name in ("question", "choices", "answer"))
        if not isinstance(choices, list) or not all(isinstance(choice, str) for choice in choices):
            raise UserError(f"{record.place}: field 'choices' must be a list of texts; mend the row")
        if answer not in choices:
            faults.append(f"{_place(record, path)}: {answer!r:.40}")
        text = choice_text(str(question), choices)
        records.append(Record(record.place, {"input": text, "label": answer, "options": list(dict.fromkeys(choices))}))
    what = "have a label that is not among their choices"
    refuse_rows(path, faults, len(source), what, "mend the labels or the choices")
    return records


def _problem_text(body: Any, question: Any) -> str:
    return f"{body}\n{question}"


def word_problems(path: PathLike) -> list[Record]:
    """Read SVAMP: its own file (Body, Question, Equation) or one of the released splits (input, label)."""
    records = []
    for record in json_records(path):
        if "Body" in record.values:
            text = _problem_text(value_of(record, "Body"), value_of(record, "Question"))
            record = Record(record.place, {"input": text, "label": value_of(record, "Equation")})
        records.append(record)
    return records


def asdiv_problems(path: PathLike) -> list[Record]:
    """Read ASDiv's XML; a label is the answer's first word, as in the paper's code: 9 from "9 (apples)"."""
    try:
        # Its parser fetches nothing and refuses texts that unfold without end.
        root = ElementTree.fromstring(read_text(path).encode())  # noqa: S314
    except ElementTree.ParseError as error:
        raise UserError(f"{path}: broken XML ({error}); fetch the file again") from None
    records = []
    for number, problem in enumerate(root.iter("Problem")):
        place = f"{path}: problem {problem.get('ID', number)}"
        missing = [name for name in ("Body", "Question", "Answer") if not (problem.findtext(name) or "").strip()]
        if missing:
            raise UserError(f"{place}: element '{missing[0]}' is missing or empty; mend or remove the problem")
        text = _problem_text(problem.findtext("Body"), problem.findtext("Question"))
        label = str(problem.findtext("Answer")).strip().split(" ")[0]
        records.append(Record(place, {"input": text, "label": label}))
    if not records:
        raise UserError(f"{path}: holds no element 'Problem'; expected ASDiv's XML")
    return records


def model_outputs(path: PathLike) -> list[Record]:
    """Read a language model's raw answers: a JSON list of texts, one per row of the split it was asked about."""
    rows = read_json(path)
    if not isinstance(rows, list):
        raise UserError(f"{path}: expected a JSON list of texts, found {type(rows).__name__}")
    faults = [f"row {number}: {type(row).__name__}" for number, row in enumerate(rows) if not isinstance(row, str)]
    refuse_rows(
        path, faults, len(rows), "are no text", 'expected a JSON list of texts; write "" where there is no answer'
    )
    return [Record(f"{path}: row {number}", {"text": row}) for number, row in enumerate(rows)]


REASONING_READERS: dict[str, Callable[[PathLike], list[Record]]] = {
    "nli_pairs": inference_pairs,
    "cos_e": choice_questions,
    "svamp": word_problems,
    "asdiv_xml": asdiv_problems,
    "generic_json": loose_json_records,
}
"""Readers that fill the schemas reasoning and distillation, by their names in the registry."""
