r"""From the lines of UnifiedQA's files to MetaICL tasks: `question \n (A) ... (B) ... \n context <tab> answer`.

The break is written out as two characters. Meta-training rows have no options and are cut to 200 words around an answer
that stands in the context; meta-test rows have the options of their question (facts of MetaICL's preprocessing).
Standard library and NumPy only: this runs in the preprocessing environment.
"""

from __future__ import annotations

import re
import string
from typing import Any, Iterator, Sequence

from scripts.common.errors import UserError

BREAK = "\\n"
CUT = " \\t "  # what MetaICL writes between a question and a context that it has cut
MAX_WORDS = 200
MAX_ANSWER_WORDS = 100
ANSWER_IN_CONTEXT = (
    "natural_questions_with_dpr_para",
    "race_string",
    "drop",
    "newsqa",
    "narrativeqa",
    "quoref",
    "ropes",
)
WITHOUT_OPTIONS = ("race_string", "social_iqa")
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_LETTER = re.compile(r"\(([A-Z])\)")


def normalised(text: str) -> str:
    """Return a text in lower case without punctuation, articles and double spaces, as SQuAD compares answers."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def pairs_of(lines: Sequence[str], source: str, *, strict: bool) -> Iterator[tuple[int, str, str]]:
    """Yield (line number, question, answer). A line of another form is an error, or left out where not strict."""
    for number, line in enumerate(lines, start=1):
        cells = line.strip().split("\t")
        if len(cells) == 2:
            yield number, cells[0], cells[1]
        elif strict and line.strip():
            raise UserError(f"{source}:{number}: expected question, tab, answer; mend that line")


def train_examples(name: str, lines: Sequence[str], seed: int, source: str) -> list[dict[str, Any]]:
    """Return the meta-training rows of a task; which 200 words of a long context stay is drawn from the seed."""
    import numpy as np

    draw = np.random.RandomState(seed)
    examples = []
    for _, text, answer in pairs_of(lines, source, strict=False):
        if name in ANSWER_IN_CONTEXT and normalised(answer) not in normalised(text):
            continue
        parts = text.split(BREAK)
        if name in WITHOUT_OPTIONS and len(parts) == 3:
            text = parts[0] + BREAK + parts[2]
        if name == "natural_questions_with_dpr_para":
            for old, new in ((" , ", ", "), ("( ", "("), (" )", ")"), (" - - ", " - "), (" . ", ". ")):
                text = text.replace(old, new)
        if name in ANSWER_IN_CONTEXT and len(text.split(" ")) > MAX_WORDS:
            shortened = _around_answer(text, answer, draw)
            if shortened is None:
                continue
            text = shortened
        if len(answer.split(" ")) <= MAX_ANSWER_WORDS and answer.strip():
            examples.append({"task": f"unifiedqa:{name}", "input": text, "output": answer, "options": []})
    return examples


def _around_answer(text: str, answer: str, draw: Any) -> str | None:
    """Return the question and a window of the context that holds the answer, None if no window does.

    DEVIATION: MetaICL draws windows until one fits, for ever where none does; here such a row is left out.
    """
    question, _, context = text.partition(BREAK)
    words = context.split(" ")
    size = MAX_WORDS - len(question.split(" ")) - 1
    wanted = normalised(answer)
    if size < 1 or wanted not in normalised(context):
        return None
    n_starts = len(words) - size + 1
    fitting = {s for s in range(n_starts) if wanted in normalised(" ".join(words[s : s + size]))}
    if not fitting:
        return None
    start = -1
    while start not in fitting:
        start = int(draw.choice(n_starts))
    return f"{question}{CUT}{' '.join(words[start : start + size])}"


def test_examples(name: str, lines: Sequence[str], source: str) -> list[dict[str, Any]]:
    """Return the meta-test rows of a task with their options. Raises `UserError` naming the line that breaks."""
    examples = []
    for number, text, answer in pairs_of(lines, source, strict=True):
        parts = text.split(BREAK)
        if len(parts) == 3:  # question, options, context: the options come last
            parts = [parts[0], f"  {parts[2]} ", parts[1]]
        options: list[str] = []
        if parts[-1].strip().startswith("(A)"):
            options = [option.strip() for option in _LETTER.split(parts[-1])[2::2]]
            options = list(dict.fromkeys(option for option in options if option))
            text = " ".join(parts[:-1])  # the spaces are MetaICL's
        if answer not in options and not (not options and answer in ("yes", "no")):
            raise UserError(f"{source}:{number}: answer '{answer}' is none of the options; mend that line")
        examples.append({"task": f"unifiedqa:{name}", "input": text, "output": answer, "options": options})
    return examples
