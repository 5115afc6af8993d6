"""Prompts of the in-context evaluation: data in config/prompts/ddg, filled in here, and answers read back.

A prompt is an instruction, the demonstrations and the query. The places in the templates are {text} (one text column)
or {first} and {second} (two), {columns} (every column as a line `name: text`), {label}, and {labels} in the list of
labels.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError, did_you_mean
from scripts.common.files import PathLike
from scripts.common.yaml_files import read_yaml

PLACE = re.compile(r"\{(text|first|second|columns|label|labels)\}")


@dataclasses.dataclass(frozen=True)
class Prompt:
    """The wording of one task.

    instruction: first text; label_list: put behind it on request; introduction: before the first demonstration;
    demonstration, query: templates; answer: what leads from the query to a label where labels are scored;
    field: what a written answer repeats before the label; next_field: where a further example begins, "" = nowhere;
    removed: characters that do not count in an answer; max_new_tokens: of a written answer.
    """

    instruction: str
    label_list: str
    introduction: str
    demonstration: str
    query: str
    answer: str
    field: str
    next_field: str
    removed: str
    max_new_tokens: int

    def head(self, labels: Sequence[str], instruct: bool) -> str:
        """Return what stands before the demonstrations. instruct: name all labels."""
        listed = fill(self.label_list, {"labels": ", ".join(labels)}) if instruct else ""
        return self.instruction + listed + self.introduction

    def shown(self, columns: Sequence[str], text: Sequence[str], label: str) -> str:
        """Return a demonstration."""
        return fill(self.demonstration, {**places(columns, text), "label": label})

    def asked(self, columns: Sequence[str], text: Sequence[str]) -> str:
        """Return a query."""
        return fill(self.query, places(columns, text))

    def unanswered(self, columns: Sequence[str], text: Sequence[str]) -> str:
        """Return a query without what leads from it to a label."""
        query = self.asked(columns, text)
        return query[: -len(self.answer)] if self.answer and query.endswith(self.answer) else query

    def openings(self, columns: Sequence[str]) -> list[tuple[str, list[str]]]:
        """Return, for each text column, what leads to it in a demonstration and which strings end it.

        Raises `UserError` where a demonstration does not show the columns one by one before the label.
        """
        lines = "\n".join(f"{name}: {{text}}" for name in columns)
        pieces = PLACE.split(self.demonstration.replace("{columns}", lines))
        leads, shown = pieces[::2], pieces[1::2]
        if len(shown) != len(columns) + 1 or shown[-1] != "label":
            raise UserError(
                f"prompt: demonstration {self.demonstration!r} does not show {', '.join(columns)} and then the label;"
                " leave self-written demonstrations out"
            )
        ends = [["\n", *([text.strip()] if text.strip() else [])] for text in leads[1:]]
        return list(zip(leads, ends[: len(columns)]))

    def read(self, written: str, columns: Sequence[str], text: Sequence[str]) -> str:
        """Return the label in what a model wrote behind the query of `text`, as it is compared: lower case, stripped.

        As LongICLBench reads: of query and answer together, what follows the text's last mention counts; of that, if it
        names the field, what stands between the first and the second field, up to the next example; of that, the first
        line. Without the field a next example on the same line is not cut off.
        """
        field = self.field.strip()
        answer = (self.asked(columns, text) + written).split(text[-1])[-1]
        parts = answer.split(field) if field else [answer]
        answer = parts[0]
        if len(parts) > 1:
            answer = parts[1].split(self.next_field)[0] if self.next_field else parts[1]
        return self.plain(answer.strip().split("\n")[0])

    def plain(self, label: str) -> str:
        """Return a label as it is compared."""
        return "".join(letter for letter in label if letter not in self.removed).lower().strip()


def places(columns: Sequence[str], text: Sequence[str]) -> dict[str, str]:
    """Return what fills the places for one text."""
    found = {"text": " ".join(text), "columns": "\n".join(f"{name}: {part}" for name, part in zip(columns, text))}
    if len(text) == 2:
        found.update(first=text[0], second=text[1])
    return found


def fill(template: str, values: Mapping[str, str]) -> str:
    """Return a template with its places filled; braces in the values stay text.

    Raises `UserError` for a place that this task has no value for.
    """

    def value_of(found: re.Match[str]) -> str:
        if found.group(1) not in values:
            known = ", ".join(f"{{{name}}}" for name in values)
            raise UserError(f"prompt: no value for {found.group(0)} in {template!r}; this task has {known}")
        return values[found.group(1)]

    return PLACE.sub(value_of, template)


def read_prompt(path: PathLike) -> Prompt:
    """Return the prompt of a YAML file. Raises `UserError` naming the file and an unknown or missing key."""
    content: Any = read_yaml(path)
    fields = {field.name: field.type for field in dataclasses.fields(Prompt)}
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected the keys {', '.join(fields)}; see config/prompts/ddg")
    for key in content:
        if key not in fields:
            raise UserError(f"{path}: unknown key '{key}'{did_you_mean(str(key), list(fields))}; remove it")
    for key in fields:
        kind = int if key == "max_new_tokens" else str
        if not isinstance(content.get(key), kind):
            raise UserError(f"{path}: key '{key}' is missing or no {kind.__name__}; see config/prompts/ddg")
    if not content["demonstration"].endswith("\n") or "{label}" not in content["demonstration"]:
        raise UserError(f"{path}: demonstration must hold {{label}} and end with a line break; mend it")
    return Prompt(**content)
