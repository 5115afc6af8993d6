"""Few-shot chain-of-thought prompts (paper, section 3.1): exemplars from a file, worded in each format's grammar."""

from __future__ import annotations

import dataclasses
import string
from typing import Any, Mapping

from scripts.common.errors import UserError
from scripts.common.files import PathLike
from scripts.common.yaml_files import read_yaml
from scripts.data.reader_reasoning import END_OF_TEXT, choice_text
from scripts.step_by_step.parsing import find_format, parse, render

FIELDS = {
    "esnli": ("premise", "hypothesis"),
    "anli1": ("premise", "hypothesis"),
    "cqa": ("input",),
    "svamp": ("input",),
    "asdiv": ("input",),
    "generic": ("input",),
}
BETWEEN = "\n\n"


@dataclasses.dataclass(frozen=True)
class FewShotPrompt:
    """What a language model reads before each new question: `shots` worked examples, and how a question is worded.

    system: what a chat model is told beforehand. stop: texts at which an answer has ended.
    """

    format: str
    system: str
    question: str
    shots: tuple[str, ...]

    @property
    def stop(self) -> tuple[str, ...]:
        """Return the texts that begin an invented next question."""
        marker = find_format(self.format).follower.rstrip(":")
        return (BETWEEN, f"\n{marker}:")

    @property
    def prefix(self) -> str:
        """Return the part that all questions share: the worked examples."""
        return "".join(shot + BETWEEN for shot in self.shots)

    def ask(self, text: str) -> str:
        """Return a new question in the prompt's wording; `text` is a row's input."""
        return self.question.format(**question_fields(self.format, text))


def question_fields(format_name: str, text: str) -> dict[str, str]:
    """Return the fields of a question's template for a row's input."""
    if format_name in ("esnli", "anli1"):
        premise, mark, hypothesis = text.partition(END_OF_TEXT)
        if not mark:
            raise UserError(
                f"input {text[:60]!r}: lacks '{END_OF_TEXT}' between premise and hypothesis; prepare the rows"
            )
        return {"premise": premise, "hypothesis": hypothesis}
    return {"input": " ".join(text.split("\n")) if format_name in ("svamp", "asdiv") else text}


def load_prompt(path: PathLike, format_name: str, n_exemplars: int | None) -> FewShotPrompt:
    """Return the prompt of a format from a YAML file (see config/prompts/step_by_step).

    n_exemplars: how many of the file's examples to show, from the first; None shows all. Raises `UserError` naming file
    and key for what is missing, for a format the file has no wording for, and for an exemplar whose answer would not be
    read back as it stands.
    """
    content = _read(path)
    form = find_format(format_name)
    if form.name not in content["formats"]:
        raise UserError(f"{path}: formats has no '{form.name}', only {', '.join(content['formats'])}; add its question")
    question = str(content["formats"][form.name])
    asked = {name for _, name, _, _ in string.Formatter().parse(question) if name is not None}
    if asked != set(FIELDS[form.name]):
        wanted = ", ".join(f"{{{name}}}" for name in FIELDS[form.name])
        raise UserError(f"{path}: formats.{form.name} must hold {wanted} and no other field")
    rows = content["exemplars"]
    if n_exemplars is not None:
        if not 0 <= n_exemplars <= len(rows):
            raise UserError(f"n_exemplars: {n_exemplars} of {len(rows)} in {path}; ask for fewer or write more")
        rows = rows[:n_exemplars]
    shots = tuple(_shot(row, question, form.name, f"{path}: exemplar {number}") for number, row in enumerate(rows, 1))
    return FewShotPrompt(form.name, str(content.get("system") or ""), question, shots)


def _read(path: PathLike) -> dict[str, Any]:
    content = read_yaml(path)
    kinds = {"formats": dict, "exemplars": list}
    for key, kind in kinds.items():
        if not isinstance(content, dict) or not isinstance(content.get(key), kind):
            raise UserError(f"{path}: key '{key}' is missing or no {kind.__name__}; see config/prompts/step_by_step")
    return content


def _shot(row: Any, question: str, format_name: str, place: str) -> str:
    """Return one worked example: the question, the reasons and the label."""
    if not isinstance(row, Mapping) or not all(str(row.get(key, "")).strip() for key in ("rationale", "label")):
        raise UserError(f"{place}: rationale and label must be filled")
    rationale, label, letter = str(row["rationale"]), str(row["label"]), "a"
    if "choices" in row:
        choices = [str(choice) for choice in row["choices"]]
        if label not in choices:
            raise UserError(
                f"{place}: label '{label}' is not among its choices ({', '.join(choices)}); mend one of them"
            )
        letter = "abcdefghijklmnopqrstuvwxyz"[choices.index(label)]
        text = choice_text(str(row.get("question", "")), choices)
    else:
        text = END_OF_TEXT.join(str(row.get(name, "")) for name in FIELDS[format_name])
    answer = render(format_name, rationale, label, letter)
    read = parse(answer, format_name, "strict")
    if (read.rationale, read.label) != (rationale, label):
        raise UserError(
            f"{place}: would be read as {read.rationale!r} and {read.label!r}; leave out words that part answers"
        )
    return f"{question.format(**question_fields(format_name, text))} {answer}"
