"""What is done to the rows of some upstream data sets before a template reads them: facts of MetaICL's preprocessing.

Each function takes the rows of a split and the task's entry of config/metaicl.yaml and yields rows, with more columns
or some left out. Standard library and NumPy only: this runs in the preprocessing environment.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Callable, Iterable, Iterator, Mapping

Row = dict[str, Any]
SHUFFLE_SEED = 42
"""Seed of whatever MetaICL draws while it reads a data set."""


def coin(rows: Iterable[Row], spec: Mapping[str, Any]) -> Iterator[Row]:
    """Put the right one of two sentences first or second by a seeded coin: columns first, second, label."""
    import numpy as np

    toss = np.random.RandomState(SHUFFLE_SEED)
    right, wrong = spec["coin"]
    for row in rows:
        if toss.random_sample() > 0.5:
            yield {**row, "first": row[right], "second": row[wrong], "label": 0}
        else:
            yield {**row, "first": row[wrong], "second": row[right], "label": 1}


def sure_rating(rows: Iterable[Row], spec: Mapping[str, Any]) -> Iterator[Row]:
    """Keep the queries whose rating is clear: below 0.4 is class 0, above 0.6 class 1."""
    for row in rows:
        if not 0.4 <= row["rating"] <= 0.6:
            yield {**row, "label": int(row["rating"] > 0.6)}


def majority_label(rows: Iterable[Row], spec: Mapping[str, Any]) -> Iterator[Row]:
    """Take the annotators' majority as label; rows with a tie are left out."""
    for row in rows:
        ranked = Counter(row["annotators"]["label"]).most_common()
        if len(ranked) == 1 or ranked[0][1] > ranked[1][1]:
            yield {**row, "label": ranked[0][0]}


def freebase_answers(rows: Iterable[Row], spec: Mapping[str, Any]) -> Iterator[Row]:
    """Flatten the nested answers of FreebaseQA, sorted; rows without question or parse are left out."""
    for row in rows:
        if "RawQuestion" in row and "Parses" in row:
            names = [name for item in row["Parses"]["Answers"] for group in item["AnswersName"] for name in group]
            yield {**row, "answers": sorted(set(names))}


def supporting_context(rows: Iterable[Row], spec: Mapping[str, Any]) -> Iterator[Row]:
    """Join the paragraphs that hold HotpotQA's supporting facts: column support."""
    for row in rows:
        titles = row["supporting_facts"]["title"]
        pairs = zip(row["context"]["sentences"], row["context"]["title"])
        yield {**row, "support": " ".join("".join(sentences) for sentences, title in pairs if title in titles).strip()}


def filled_relation(rows: Iterable[Row], spec: Mapping[str, Any]) -> Iterator[Row]:
    """Fill LAMA's relation template with its subject, a mask for the object: column filled."""
    for row in rows:
        yield {**row, "filled": row["template"].replace("[X]", row["sub_label"]).replace("[Y]", "[MASK]")}


def levelled_text(rows: Iterable[Row], spec: Mapping[str, Any]) -> Iterator[Row]:
    """Remove line breaks and the heading that names the level of some OneStopEnglish texts."""
    heading = "Intermediate  "
    for row in rows:
        text = row["text"].replace("\n", " ")
        yield {**row, "text": text[len(heading) :] if text.startswith(heading) else text}


def first_key(rows: Iterable[Row], spec: Mapping[str, Any]) -> Iterator[Row]:
    """Take ProtoQA's first raw answer: column first_key."""
    for row in rows:
        yield {**row, "first_key": next(iter(row["answers"]["raw"]))}


def inline_choices(rows: Iterable[Row], spec: Mapping[str, Any]) -> Iterator[Row]:
    """Cut QuaRel's question at "(A)" and "(B)": columns stem and choices, without a closing "or" or full stop."""
    for row in rows:
        stem, _, rest = row["question"].partition("(A)")
        choices = [choice.strip() for choice in rest.split("(B)", 1)]
        choices = [choice[: -len(" or")] if choice.endswith(" or") else choice for choice in choices]
        yield {**row, "stem": stem, "choices": [choice[:-1] if choice.endswith(".") else choice for choice in choices]}


def shuffled_answers(rows: Iterable[Row], spec: Mapping[str, Any]) -> Iterator[Row]:
    """Put SciQ's right answer among its distractors: column choices; questions without supporting text are left out."""
    import numpy as np

    draw = np.random.RandomState(SHUFFLE_SEED)
    for row in rows:
        if row["support"]:
            choices = [row[name] for name in ("distractor1", "distractor2", "distractor3", "correct_answer")]
            draw.shuffle(choices)
            yield {**row, "choices": choices}


def with_text(rows: Iterable[Row], spec: Mapping[str, Any]) -> Iterator[Row]:
    """Leave out empty texts."""
    return (row for row in rows if row["text"])


def cause_or_effect(rows: Iterable[Row], spec: Mapping[str, Any]) -> Iterator[Row]:
    """Name what COPA's premise and choices are: columns given and asked."""
    for row in rows:
        asked = "Cause" if row["question"] == "cause" else "Effect"
        yield {
            **row,
            "premise": row["premise"].strip(),
            "asked": asked,
            "given": {"Cause": "Effect"}.get(asked, "Cause"),
        }


def answers_of_a_question(rows: Iterable[Row], spec: Mapping[str, Any]) -> Iterator[Row]:
    """Bring MultiRC's answers to one question together; questions with one answer or no right one are left out.

    Columns choices and first_right, the place of the first right answer.
    DEVIATION: MetaICL drops these questions after the draw of k examples, so that its files hold fewer than k.
    """
    questions: dict[Any, list[Row]] = {}
    for row in rows:
        questions.setdefault(row["idx"]["question"], []).append(row)
    for group in questions.values():
        right = [place for place, row in enumerate(group) if row["label"] == 1]
        if right and len(group) > 1:
            yield {**group[0], "choices": [row["answer"] for row in group], "first_right": right[0]}


ROW_FUNCTIONS: dict[str, Callable[[Iterable[Row], Mapping[str, Any]], Iterator[Row]]] = {
    function.__name__: function
    for function in (
        coin,
        sure_rating,
        majority_label,
        freebase_answers,
        supporting_context,
        filled_relation,
        levelled_text,
        first_key,
        inline_choices,
        shuffled_answers,
        with_text,
        cause_or_effect,
        answers_of_a_question,
    )
}
