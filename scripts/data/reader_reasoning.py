"""Readers of reasoning data: e-SNLI, ANLI, CoS-E, SVAMP, ASDiv, one's own rows, and language models' raw answers.

Inputs are put together as Distilling Step-by-Step's code does, so that a model trained with
either reads the same text.
"""

from __future__ import annotations

from typing import Any, Callable, Sequence
from xml.etree import ElementTree

from scripts.common.errors import RowFault, UserError
from scripts.common.files import PathLike, read_json, read_text
from scripts.data.labels import LabelFault, label_text, plain_text
from scripts.data.layout import UNKNOWN, Layout
from scripts.data.reader_base import each, value_of
from scripts.data.rows import Record, read_rows

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


def own_rows(path: PathLike, layout: Layout = UNKNOWN) -> list[Record]:
    """Read one's own rows in any form that `scripts.data.rows.read_rows` knows."""
    return read_rows(path, layout=layout)


def inference_pairs(path: PathLike, layout: Layout = UNKNOWN) -> list[Record]:
    """Read e-SNLI or ANLI: JSON or parquet with premise, hypothesis, class number, or e-SNLI's own CSV.

    The human explanations are not read: the paper never uses them.
    """
    records = read_rows(path, layout=layout)
    labels = each(records, path, lambda record: value_of(record, "gold_label" if _own(record) else "label"))
    labels = [_verdict(label) for label in labels]
    faults = [
        f"{_place(record, path)}: {label!r:.40}"
        for record, label in zip(records, labels)
        if not isinstance(label, str) or label not in VERDICTS
    ]
    known = f"{', '.join(VERDICTS)} or 0, 1, 2"
    refuse_rows(path, faults, len(records), "have an unknown label", f"expected {known}: mend or remove the rows")
    pairs = each(records, path, _pair)
    return [
        Record(record.place, {"input": pair, "label": label, "options": list(VERDICTS)})
        for record, pair, label in zip(records, pairs, labels)
    ]


def _own(record: Record) -> bool:
    return "Sentence1" in record.values


def _verdict(label: Any) -> Any:
    """Return the name of a class number, however it is written (2, "2", 2.0), another value as text where it is one."""
    if isinstance(label, str) and label not in VERDICTS:
        label = label.strip()
    try:
        return label if isinstance(label, bool) else label_text(label, VERDICTS)
    except LabelFault:
        return label


def _pair(record: Record) -> str:
    names = ("Sentence1", "Sentence2") if _own(record) else ("premise", "hypothesis")
    texts = [value_of(record, name) for name in names]
    if not all(isinstance(text, str) for text in texts):
        raise RowFault(record.place, "premise and hypothesis must be text; mend the row")
    return END_OF_TEXT.join(texts)


def choice_text(question: str, choices: Sequence[str]) -> str:
    """Return a question with its choices below it, one a line, "(a) ...", "(b) ..."."""
    lines = [f"({letter}) {choice}" for letter, choice in zip("abcdefghijklmnopqrstuvwxyz", choices)]
    return "\n".join([question, "Answer Choices:", *lines])


def choice_questions(path: PathLike, layout: Layout = UNKNOWN) -> list[Record]:
    """Read CoS-E (CommonsenseQA with explanations): the choices follow the question, one a line with their letters."""
    source = read_rows(path, layout=layout)
    records = each(source, path, _question)
    faults = [
        f"{_place(record, path)}: {record.values['label']!r:.40}"
        for record in records
        if record.values["label"] not in record.values["options"]
    ]
    what = "have a label that is not among their choices"
    refuse_rows(path, faults, len(source), what, "mend the labels or the choices")
    return records


def _question(record: Record) -> Record:
    question, choices, answer = (value_of(record, name) for name in ("question", "choices", "answer"))
    if not isinstance(choices, list) or not choices or not all(isinstance(choice, str) for choice in choices):
        raise RowFault(record.place, "field 'choices' must be a list of texts; mend the row")
    if not isinstance(question, str):
        raise RowFault(record.place, "field 'question' must be text; mend the row")
    text = choice_text(question, choices)
    return Record(record.place, {"input": text, "label": plain_text(answer), "options": list(dict.fromkeys(choices))})


def _problem_text(body: Any, question: Any) -> str:
    return f"{body}\n{question}"


def word_problems(path: PathLike, layout: Layout = UNKNOWN) -> list[Record]:
    """Read SVAMP: its own file (Body, Question, Equation) or one of the released splits (input, label)."""
    return each(read_rows(path, layout=layout), path, _problem)


def _problem(record: Record) -> Record:
    if "Body" not in record.values:
        return record
    texts = [value_of(record, name) for name in ("Body", "Question")]
    if not all(isinstance(text, str) for text in texts):
        raise RowFault(record.place, "Body and Question must be text; mend the row")
    return Record(record.place, {"input": _problem_text(*texts), "label": value_of(record, "Equation")})


def asdiv_problems(path: PathLike) -> list[Record]:
    """Read ASDiv's XML; a label is the answer's first word, as in the paper's code: 9 from "9 (apples)"."""
    try:
        # Its parser fetches nothing and refuses texts that unfold without end.
        root = ElementTree.fromstring(read_text(path).encode())  # noqa: S314
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise UserError(f"{path}: broken XML ({error}); fetch the file again") from None
    problems = list(root.iter("Problem"))
    if not problems:
        raise UserError(f"{path}: holds no element 'Problem'; expected ASDiv's XML")
    found = [
        Record(f"{path}: problem {problem.get('ID', number)}", {"problem": problem})
        for number, problem in enumerate(problems)
    ]
    return each(found, path, _xml_problem)


def _xml_problem(record: Record) -> Record:
    problem = record.values["problem"]
    missing = [name for name in ("Body", "Question", "Answer") if not (problem.findtext(name) or "").strip()]
    if missing:
        raise RowFault(record.place, f"element '{missing[0]}' is missing or empty; mend or remove the problem")
    text = _problem_text(problem.findtext("Body"), problem.findtext("Question"))
    return Record(record.place, {"input": text, "label": str(problem.findtext("Answer")).strip().split(" ")[0]})


def model_outputs(path: PathLike) -> list[Record]:
    """Read a language model's raw answers: a JSON list of texts, one per row of the split it was asked about.

    The list may stand alone or under the only key of an object.
    """
    rows = read_json(path)
    if isinstance(rows, dict) and len(rows) == 1 and isinstance(next(iter(rows.values())), list):
        rows = next(iter(rows.values()))
    if not isinstance(rows, list):
        raise UserError(f"{path}: expected a JSON list of texts, found {type(rows).__name__}")
    faults = [f"row {number}: {type(row).__name__}" for number, row in enumerate(rows) if not isinstance(row, str)]
    refuse_rows(
        path, faults, len(rows), "are no text", 'expected a JSON list of texts; write "" where there is no answer'
    )
    return [Record(f"{path}: row {number}", {"text": row}) for number, row in enumerate(rows)]


REASONING_READERS: dict[str, Callable[..., list[Record]]] = {
    "nli_pairs": inference_pairs,
    "cos_e": choice_questions,
    "svamp": word_problems,
    "asdiv_xml": asdiv_problems,
    "generic_json": own_rows,
}
"""Readers that fill the schemas reasoning and distillation, by their names in the registry."""
