"""What a language model's raw answer says: its reasons and its label, for each data set's way of answering.

`compatible` reads as the released code does, its quirks included; the paper's teacher accuracies come from it. `strict`
reads what was meant: a next question is cut off where a line begins with its marker, a final period is dropped only if
there is one, a label ends with its line. Neither ends the run on an answer that cannot be read: it gets a fault.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Callable, Literal, NamedTuple, get_args

from scripts.common.settings import check_choice

Parser = Literal["strict", "compatible"]
PARSERS: tuple[str, ...] = get_args(Parser)
TEACHERS = ("palm", "gpt")
"""Teachers whose answers the released code reads in different ways; `gpt` stands for GPT-NeoX and GPT-3.5."""
NO_MARKER, MARKER_TWICE, NO_LABEL = "no_marker", "marker_twice", "no_label"
FAULTS = (NO_MARKER, MARKER_TWICE, NO_LABEL)


class Answer(NamedTuple):
    """Reasons and label of one raw answer; `fault` is empty or one of FAULTS."""

    rationale: str
    label: str
    fault: str = ""


@dataclasses.dataclass(frozen=True)
class Format:
    """How answers to a data set are worded, and what counts as right.

    separator: stands between reasons and label; follower: begins an invented next question; blank: what the released
    parser gives where it cannot read an answer.
    """

    name: str
    separator: str
    follower: str
    metric: str
    blank: str = " "


FORMATS = {
    form.name: form
    for form in (
        Format("esnli", "Answer:", "Premise", "text"),
        Format("anli1", "So the answer is", "Premise:", "text", blank=""),
        Format("cqa", "So the answer is", "Q:", "text"),
        Format("svamp", "The answer is", "Q:", "equation"),
        Format("asdiv", "The answer is", "Q:", "equation"),
        Format("generic", "So the answer is", "Input:", "text"),
    )
}


def find_format(name: str) -> Format:
    """Return the format called `name`. Raises `UserError` with the nearest name if there is none."""
    check_choice("format", name, tuple(FORMATS))
    return FORMATS[name]


def parse(output: str, format_name: str, parser: str, teacher: str = "palm") -> Answer:
    """Return the reasons and the label in one raw answer.

    format_name: a key of FORMATS; parser: one of PARSERS; teacher: one of TEACHERS, which only `compatible` heeds.
    """
    form = find_format(format_name)
    check_choice("parser", parser, PARSERS)
    check_choice("teacher", teacher, TEACHERS)
    if parser == "strict":
        return _strict(output, form)
    return _COMPATIBLE[form.name](output.lstrip() if teacher == "gpt" else output, form, teacher)


# ---- strict ----------------------------------------------------------------------------------------------------------


def _strict(output: str, form: Format) -> Answer:
    mark = form.follower.rstrip(":")
    answer = re.split(rf"(?:\A|\n)\s*{re.escape(mark)}:", output)[0].strip()
    if form.name == "esnli":  # where an output ends early, the next question's marker may be cut
        answer = re.split(r"\n\s*\n", answer)[0]
    pieces = answer.split(form.separator)
    if len(pieces) != 2:
        return Answer("", "", NO_MARKER if len(pieces) == 1 else MARKER_TWICE)
    label = _strict_label(pieces[1].strip(), form)
    return Answer(pieces[0].strip(), label, "" if label else NO_LABEL)


def _strict_label(text: str, form: Format) -> str:
    if form.metric == "equation":
        found = re.search(r"\(.*\)", text)
        return found.group(0) if found else ""
    line = text.split("\n")[0].strip()
    if form.name == "cqa":
        found = re.match(r"\(\w\)\s*(.*)", line)
        if not found:
            return ""
        line = re.split(r"\(\w\)", found.group(1))[0].strip()
    return line.removesuffix(".").rstrip()


# ---- as the released code reads --------------------------------------------------------------------------------------


def _two_pieces(text: str, separator: str, blank: str) -> tuple[list[str], Answer | None]:
    pieces = text.split(separator)
    if len(pieces) == 2:
        return pieces, None
    return pieces, Answer(blank, blank, NO_MARKER if len(pieces) == 1 else MARKER_TWICE)


def _choice(output: str, form: Format, teacher: str) -> Answer:
    # DEVIATION: the released parser of PaLM's answers ends the run here; the one of GPT's gives blanks, as we do
    pieces, failed = _two_pieces(output.split("Q:")[0].rstrip(), form.separator, form.blank)
    if failed:
        return failed
    groups = re.split(r"\(.\)", pieces[1])
    label = groups[1].strip() if len(groups) > 1 else ""
    if not label:
        return Answer(pieces[0].rstrip(), form.blank, NO_LABEL)
    return Answer(pieces[0].rstrip(), label[:-1] if label[-1] == "." else label)


def _equation(output: str, form: Format, teacher: str) -> Answer:
    pieces, failed = _two_pieces(output.split("Q:")[0].rstrip(), form.separator, form.blank)
    if failed:
        return failed
    found = re.search(r"\(.*\)", pieces[1])
    if not found:
        return Answer(pieces[0].rstrip(), form.blank, NO_LABEL)
    return Answer(pieces[0].rstrip(), found.group(0))


def _explained(output: str, form: Format, teacher: str) -> Answer:
    rationale = output.split("Answer:")[0].rstrip()
    pieces = output.split("Answer: ")
    if len(pieces) == 1:
        return Answer(rationale, form.blank, NO_MARKER)
    label = pieces[1].split("Premise")[0].rstrip()
    return Answer(rationale, label, "" if label else NO_LABEL)


def _adversarial(output: str, form: Format, teacher: str) -> Answer:
    answer = output.split("Premise:")[0].rstrip()
    pieces, failed = _two_pieces(answer, form.separator, form.blank)
    if failed and teacher == "gpt":
        pieces, failed = _two_pieces(answer, "The answer is", form.blank)
    if failed:
        return failed
    label = pieces[1].lstrip()[:-1]  # the last character goes, whether or not it is a period
    return Answer(pieces[0].rstrip(), label, "" if label else NO_LABEL)


def _generic(output: str, form: Format, teacher: str) -> Answer:
    return _strict(output, form)  # the fork reads its labels and rationales from columns


_COMPATIBLE: dict[str, Callable[[str, Format, str], Answer]] = {
    "esnli": _explained,
    "anli1": _adversarial,
    "cqa": _choice,
    "svamp": _equation,
    "asdiv": _equation,
    "generic": _generic,
}


# ---- the other way round ---------------------------------------------------------------------------------------------


def render(format_name: str, rationale: str, label: str, letter: str = "a") -> str:
    """Return reasons and label as a well-formed answer in the format's grammar; both parsers read it back."""
    form = find_format(format_name)
    if form.name == "esnli":
        return f"{rationale}\n{form.separator} {label}"
    shown = f"({letter}) {label}" if form.name == "cqa" else label
    return f"{rationale} {form.separator} {shown}."


def join_target(format_name: str, rationale: str, label: str) -> str:
    """Return the one target of single-task training (paper, eq. 5): reasons, the format's separator, label."""
    return f"{rationale} {find_format(format_name).separator} {label}".lstrip()


def label_of_output(format_name: str, text: str) -> str:
    """Return the label at the end of a single-task output: what follows the last separator; empty without one."""
    _, separator, label = text.rpartition(find_format(format_name).separator)
    return label.strip() if separator else ""
