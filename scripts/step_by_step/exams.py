"""What a student is asked, what it answers and what counts as right (Distilling Step-by-Step, section 4.1).

A test answer is compared with the gold label, a validation answer with the label that the student learns from; both as
they come back from the tokenizer.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Sequence

from scripts.common.errors import UserError
from scripts.step_by_step.encoding import (
    FlatTexts,
    encode_inputs,
    encode_targets,
    label_of,
    question_of,
)
from scripts.step_by_step.equations import correct_rows
from scripts.step_by_step.parsing import label_of_output
from scripts.step_by_step.splits import Splits
from scripts.step_by_step.student_models import input_limit

if TYPE_CHECKING:
    from scripts.lm.load import LoadedModel
    from scripts.step_by_step.settings_train import TrainSettings
    from scripts.step_by_step.students import SingleStudent, StackedStudents

UNCUT = 10**6  # tokens: labels are compared whole


class Exam:
    """The validation and test questions of one run, tokenised, with the answers that count as right.

    Validation answers are those a student without gold labels could check itself against: the language model's where
    it learns from these. Test answers are the gold ones. Both are compared as decoded from their tokens.
    """

    def __init__(self, loaded: LoadedModel, splits: Splits, settings: TrainSettings) -> None:
        if not splits.test:
            raise UserError("test rows: the file is empty; give at least one example to measure on")
        self.loaded, self.settings = loaded, settings
        self.parts = {"test": splits.test, **({"valid": splits.valid} if splits.valid else {})}
        end, longest = str(loaded.tokenizer.eos_token), input_limit(loaded, settings)
        self.questions: dict[str, FlatTexts] = {}
        self.wanted: dict[str, FlatTexts] = {}
        self.answers: dict[str, list[str]] = {}
        for name, rows in self.parts.items():
            asked = [question_of(row, settings.method, end) for row in rows]
            labels = [label_of(row, settings.label_type if name == "valid" else "gt") for row in rows]
            self.questions[name] = encode_inputs(loaded.tokenizer, asked, longest, loaded.family)
            self.wanted[name] = encode_targets(loaded.tokenizer, labels, UNCUT, loaded.family)
            self.answers[name] = through_tokens(loaded, labels, settings.unknown_words)

    def labels(self, outputs: Sequence[str]) -> list[str]:
        """Return the labels in what the student wrote."""
        if self.settings.method != "single_task":
            return list(outputs)
        return [label_of_output(self.settings.form, text) for text in outputs]

    def correct(self, name: str, outputs: Sequence[str]) -> list[bool]:
        """Return which outputs give the right label."""
        return correct_rows(self.settings.metric, self.labels(outputs), self.answers[name], self.settings.blanks)


@dataclasses.dataclass(frozen=True)
class Answers:
    """What one run wrote for a split: texts, which are right, and which were cut off before their end."""

    texts: list[str]
    correct: list[bool]
    cut: list[bool]


def evaluate(
    student: SingleStudent | StackedStudents, exams: Sequence[Exam], settings: TrainSettings
) -> list[dict[str, Answers]]:
    """Return each run's answers to its test and validation questions."""
    found: list[dict[str, Answers]] = [{} for _ in exams]
    for name in ("test", "valid"):
        sitting = [number for number, exam in enumerate(exams) if name in exam.parts]
        if not sitting:
            continue
        nothing = FlatTexts.of([])
        texts = [exam.questions.get(name, nothing) for exam in exams]
        outputs = student.generate(texts, settings.gen_max_len)
        for number in sitting:
            exam = exams[number]
            end = int(exam.loaded.tokenizer.eos_token_id)
            written = decoded(exam.loaded, outputs[number])
            found[number][name] = Answers(
                written, exam.correct(name, written), [end not in tokens for tokens in outputs[number]]
            )
    return found


def decoded(loaded: LoadedModel, outputs: Sequence[Sequence[int]]) -> list[str]:
    """Return token ids as texts, without special tokens."""
    return [
        str(text) for text in loaded.tokenizer.batch_decode([list(row) for row in outputs], skip_special_tokens=True)
    ]


def through_tokens(loaded: LoadedModel, texts: Sequence[str], unknown_words: str) -> list[str]:
    """Return texts as they come back from the tokenizer: the form in which outputs can equal them.

    Decoding leaves out words that the tokenizer lacks, so that an output without them counts as right. With
    unknown_words `wrong` such a text stays as it is, and no output equals it.
    """
    rows = encode_targets(loaded.tokenizer, texts, UNCUT, loaded.family).rows()
    if unknown_words == "left_out":
        return decoded(loaded, rows)
    unknown = loaded.tokenizer.unk_token_id
    return [text if unknown in row else back for text, row, back in zip(texts, rows, decoded(loaded, rows))]
