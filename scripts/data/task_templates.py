"""From the rows of an upstream data set to a MetaICL task: the templates of config/metaicl.yaml applied.

Standard library and NumPy only: this runs in the preprocessing environment.
"""

from __future__ import annotations

import logging
import re
from typing import Any, Iterable, Mapping, Sequence

from scripts.common.errors import UserError, did_you_mean
from scripts.data.labels import plain_text
from scripts.data.task_rows import ROW_FUNCTIONS, SHUFFLE_SEED

LOG = logging.getLogger(__name__)

Example = dict[str, Any]
_FIELD = re.compile(r"\{([^{}]+)\}")


def column(row: Mapping[str, Any], path: str) -> Any:
    """Return the value at a path such as `answers.text.0`. Raises `UserError` naming the missing part."""
    value: Any = row
    for part in path.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, (list, tuple)) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            known = [str(key) for key in value] if isinstance(value, Mapping) else []
            raise UserError(
                f"column '{path}': no '{part}'{did_you_mean(part, known)}, found {', '.join(known) or 'no columns'}; "
                "mend the row, or the task's entry in config/metaicl.yaml"
            )
    return value


def fill(template: str, row: Mapping[str, Any], spec: Mapping[str, Any]) -> str:
    """Return a template filled from a row, replacements made in each value; a list is joined by spaces."""

    def text(match: re.Match[str]) -> str:
        value = column(row, match.group(1))
        if value is None:
            raise UserError(f"column '{match.group(1)}': the value is missing; mend the row")
        joined = " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
        return _replaced(joined, spec) if match.group(1) in spec.get("replace_in", [match.group(1)]) else joined

    return _FIELD.sub(text, template)


def input_text(spec: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """Return a row's input. A context stands before it, after the one space that MetaICL's separator leaves there."""
    text = fill(spec["input"], row, spec).strip()
    if "context" in spec:
        text = " " + fill(spec["context"], row, spec).rstrip() + text
    return text.replace("\\n", " ")  # a line break that is written out


def _replaced(text: str, spec: Mapping[str, Any]) -> str:
    for old, new in spec.get("replace", ()):
        text = text.replace(old, new)
    return text


def label_name(spec: Mapping[str, Any], value: Any) -> str | None:
    """Return the name of a class number (or of a class given by its name), None if rows of that class are left out."""
    names = spec["names"]
    names = dict(zip(map(str, range(len(names))), names)) if isinstance(names, list) else names
    if value is None:
        raise UserError(f"column '{spec['label']}': the label is missing; mend the row")
    key = str(int(value)) if isinstance(value, bool) else str(plain_text(value))
    if not isinstance(value, (str, int, float, bool)):
        raise UserError(f"column '{spec['label']}': the label is {type(value).__name__}; mend the row")
    if key in map(str, spec.get("skip", ())):
        return None
    if key not in names and value not in names.values():
        raise UserError(f"column '{spec['label']}': label {value!r} is none of {', '.join(names)}; mend the row")
    return str(names.get(key, value))


def choice_texts(spec: Mapping[str, Any], row: Mapping[str, Any]) -> list[str]:
    """Return the options of a row, in their order."""
    given = spec["choices"]
    if isinstance(given, list):
        return [fill(template, row, spec).strip() for template in given]
    return [_replaced(str(text), spec).strip() for text in column(row, given)]


def right_choice(spec: Mapping[str, Any], row: Mapping[str, Any], choices: Sequence[str]) -> str:
    """Return the right one of the options. Raises `UserError` if the row names one that is not there."""
    answer, by = column(row, spec["answer"]), spec["by"]
    if by == "text":
        wanted = _replaced(str(answer), spec).strip()
        place = choices.index(wanted) if wanted in choices else -1
    elif by == "letter":
        place = ord(str(answer)) - ord("A") if len(str(answer)) == 1 else -1
    elif by == "key":
        keys = column(row, spec["keys"])
        place = keys.index(answer) if isinstance(keys, list) and answer in keys else -1
    else:
        number = str(plain_text(answer)).strip()
        place = int(number) - (by == "number") if number.isascii() and number.isdecimal() and len(number) < 10 else -1
    if not 0 <= place < len(choices):
        raise UserError(
            f"column '{spec['answer']}': answer {answer!r} names none of {len(choices)} choices; mend the row"
        )
    return choices[place]


def example_of(task: str, spec: Mapping[str, Any], row: Mapping[str, Any]) -> Example | None:
    """Return a row in the classification schema; None if its class is left out or its answer is no option.

    DEVIATION: MetaICL keeps an answer that is not among the options of its task (an entity of BioMRC beyond the 19th)
    and lists an option twice where a row does; here such a row is left out, and an option stands once.
    """
    options = list(spec.get("options") or ())
    if "label" in spec:
        output = label_name(spec, column(row, spec["label"]))
        if output is None:
            return None
    elif "choices" in spec:
        choices = choice_texts(spec, row)
        output = right_choice(spec, row, choices)
        options = list(dict.fromkeys(choices))
    else:
        output = fill(spec["output"], row, spec).split("\t")[0].strip()
    if not output or (options and output not in options):
        return None
    return {"task": task, "input": input_text(spec, row), "output": output, "options": options}


def examples_of(task: str, spec: Mapping[str, Any], rows: Iterable[Mapping[str, Any]], source: str) -> list[Example]:
    """Return the examples of one upstream split. Raises `UserError` naming source and row."""
    prepared = [dict(row) for row in rows]
    try:
        if spec.get("rows"):
            prepared = list(ROW_FUNCTIONS[spec["rows"]](prepared, spec))
    except KeyError as error:
        raise UserError(f"{source}: column {error} is missing; give the rows with their upstream columns") from None
    examples = []
    for number, row in enumerate(prepared, start=1):
        try:
            example = example_of(task, spec, row)
        except UserError as error:
            raise UserError(f"{source}: row {number}: {error}") from None
        if example is not None:
            examples.append(example)
    if len(examples) < len(prepared):
        LOG.info("%s: %d of %d rows left out", source, len(prepared) - len(examples), len(prepared))
    return examples


def cut_splits(
    spec: Mapping[str, Any], train: list[Example], test: list[Example]
) -> tuple[list[Example], list[Example]]:
    """Return train and test rows as MetaICL cuts them, after a shuffle with its seed (`cut` in config/metaicl.yaml)."""
    cut = spec.get("cut")
    if cut is None:
        return train, test
    whole = list(test if cut["kind"] == "test_share" else train)
    shuffle(whole, SHUFFLE_SEED)
    n = len(whole)
    if cut["kind"] == "test_share":
        return train, whole[: int(cut["test"] * n)]
    if cut["kind"] == "head":
        return whole[: cut["train"]], whole[cut["train"] : cut["train"] + cut["test"]]
    return whole[: int(cut["train"] * n)], whole[int((1 - cut["test"]) * n) :]


def shuffle(rows: list[Example], seed: int) -> None:
    """Shuffle in place with NumPy's legacy generator, as CrossFit and MetaICL do."""
    import numpy as np

    np.random.RandomState(seed).shuffle(rows)
