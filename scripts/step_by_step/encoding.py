"""From examples to token arrays: what each way of training reads and writes (Distilling Step-by-Step, section 3.2).

Every text is tokenised once, into flat arrays; a batch is filled up from slices of them. Which rows a batch holds is a
function of the seed and the batch's number alone, so a run can be taken up anywhere.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Mapping, Sequence, get_args

import numpy as np

from scripts.common.errors import UserError, did_you_mean
from scripts.common.seeding import generator
from scripts.step_by_step.parsing import join_target
from scripts.step_by_step.student import LabelType, Way

MASKED = -100  # label of a place that takes no part in the loss
PREDICT, EXPLAIN = "predict: ", "explain: "
END_OF_INPUT = "\n\n"  # closes what a causal model reads
METHODS: tuple[str, ...] = get_args(Way)
LABEL_TYPES: tuple[str, ...] = get_args(LabelType)

Row = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class FlatTexts:
    """Token ids of many texts, end to end: text i is `ids[starts[i] : starts[i + 1]]`.

    whole: tokens that each text had before it was cut to `limit`; empty where nothing was to be cut.
    """

    ids: np.ndarray
    starts: np.ndarray
    whole: np.ndarray = dataclasses.field(default_factory=lambda: np.empty(0, dtype=np.int64))
    limit: int = 0

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]]) -> FlatTexts:
        """Return the rows as flat arrays."""
        starts = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum([len(row) for row in rows], out=starts[1:])
        flat = np.fromiter((token for row in rows for token in row), dtype=np.int64, count=int(starts[-1]))
        return cls(flat, starts)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def rows(self) -> list[list[int]]:
        """Return the token ids of each text."""
        return [self.ids[start:end].tolist() for start, end in zip(self.starts[:-1], self.starts[1:])]

    def lengths(self) -> np.ndarray:
        """Return the number of tokens of each text."""
        return np.diff(self.starts)

    def padded(self, chosen: np.ndarray, filler: int, width: int | None = None) -> np.ndarray:
        """Return the chosen texts as (n, longest), filled up on the right; a negative place is a row of filler."""
        lengths = np.where(chosen >= 0, self.starts[chosen + 1] - self.starts[chosen], 0)
        columns = np.arange(int(lengths.max(initial=1)) if width is None else width)
        inside = columns < lengths[:, None]
        places = np.where(inside, self.starts[np.maximum(chosen, 0)][:, None] + columns, 0)
        return np.where(inside, self.ids[places], filler)


@dataclasses.dataclass(frozen=True)
class EncodedTask:
    """One training task: inputs and targets of all rows, and the task's weight in the loss."""

    inputs: FlatTexts
    targets: FlatTexts
    weight: float


@dataclasses.dataclass(frozen=True)
class TaskBatch:
    """The tasks' rows of one forward pass, the tasks under each other.

    ids, mask: (runs, tasks * rows, width); labels: per task (runs, rows, width of the task), `MASKED` where empty.
    """

    ids: np.ndarray
    mask: np.ndarray
    labels: tuple[np.ndarray, ...]

    def counts(self) -> np.ndarray:
        """Return the number of labels, (tasks, runs)."""
        return np.stack([(part != MASKED).sum((1, 2)) for part in self.labels])


def check_method(method: str, label_type: str) -> None:
    """Raise `UserError` for an unknown way of training or source of labels."""
    for name, value, known in (("method", method, METHODS), ("label_type", label_type, LABEL_TYPES)):
        if value not in known:
            raise UserError(f"{name}: '{value}' is not one of {', '.join(known)}{did_you_mean(value, known)}")


def label_of(row: Row, label_type: str) -> str:
    """Return the label a student learns from: the gold one, or the language model's."""
    return str(row["label"] if label_type == "gt" else row["llm_label"])


def question_of(row: Row, method: str, end: str) -> str:
    """Return the text behind which the label is asked for; `end` is the tokenizer's end-of-text token.

    task_prefix puts `predict: ` before the input. pinto appends the teacher's rationale, so it needs one at test time.
    """
    if method == "task_prefix":
        return PREDICT + str(row["input"])
    if method == "pinto":
        return f"{row['input']} {end} {row['rationale']}"
    return str(row["input"])


def task_texts(
    rows: Sequence[Row], method: str, label_type: str, alpha: float, form: str, end: str
) -> list[tuple[list[str], list[str], float]]:
    """Return (inputs, targets, weight) of each task.

    task_prefix: label behind `predict: ` with weight alpha, rationale behind `explain: ` with 1 - alpha (eq. 3 and 4).
    standard: the label alone, without a prefix (eq. 1). single_task: rationale and label as one text (eq. 5), joined as
    the set's teacher (`form`) joins them. pinto: the label from input and rationale (eq. 2).
    Raises `UserError` if rationales are needed and no row has one.
    """
    check_method(method, label_type)
    if method != "standard" and rows and not any(row["rationale"] for row in rows):
        raise UserError(
            f"rationale: none of the {len(rows)} training rows has one, and method '{method}' learns from them;"
            " give a teacher's answers or use method 'standard'"
        )
    if label_type == "llm" and rows and not any(row["llm_label"] for row in rows):
        raise UserError("llm_label: no training row has one; give a teacher's answers or use label_type 'gt'")
    labels = [label_of(row, label_type) for row in rows]
    questions = [question_of(row, method, end) for row in rows]
    if method == "task_prefix":
        explained = [EXPLAIN + str(row["input"]) for row in rows]
        return [(questions, labels, alpha), (explained, [str(row["rationale"]) for row in rows], 1.0 - alpha)]
    if method == "single_task":
        return [(questions, [join_target(form, str(r["rationale"]), y) for r, y in zip(rows, labels)], 1.0)]
    return [(questions, labels, 1.0)]


def encode_texts(tokenizer: Any, texts: Sequence[str], longest: int, *, special: bool = True) -> FlatTexts:
    """Return the token ids of texts, each closed by the end-of-text token and cut to `longest` tokens with it.

    special: with the tokenizer's own special tokens; without for what a causal model writes behind its input.
    """
    end = _end_token(tokenizer)
    if not texts:
        return FlatTexts.of([])
    # verbose: transformers would warn of its own limit, which is not ours
    rows = tokenizer(list(texts), add_special_tokens=special, verbose=False)["input_ids"]
    rows = [row if row and row[-1] == end else [*row, end] for row in rows]
    cut = [row if len(row) <= longest else [*row[: longest - 1], end] for row in rows]
    return _noted(rows, cut, longest)


def encode_inputs(tokenizer: Any, texts: Sequence[str], longest: int, family: str) -> FlatTexts:
    """Return the token ids of what a student reads, cut to `longest` tokens with what closes it.

    An encoder's input is closed by the end-of-text token, as in the paper. A causal model's is closed by an empty line
    (`END_OF_INPUT`), behind which the model writes; a tokenizer that knows no line breaks closes it as an encoder does.
    """
    if family != "causal":
        return encode_texts(tokenizer, texts, longest)
    end = _end_token(tokenizer)
    if not texts:
        return FlatTexts.of([])
    close = tokenizer(END_OF_INPUT, add_special_tokens=False)["input_ids"]
    close = close if close and tokenizer.unk_token_id not in close else [end]
    rows = tokenizer(list(texts), add_special_tokens=True, verbose=False)["input_ids"]
    rows = [[*(row[:-1] if row and row[-1] == end else row), *close] for row in rows]
    cut = [row if len(row) <= longest else [*row[: longest - len(close)], *close] for row in rows]
    return _noted(rows, cut, longest)


def encode_targets(tokenizer: Any, texts: Sequence[str], longest: int, family: str) -> FlatTexts:
    """Return the token ids of what a student writes, closed by the end-of-text token and cut to `longest` tokens."""
    return encode_texts(tokenizer, texts, longest, special=family != "causal")


def _end_token(tokenizer: Any) -> int:
    if tokenizer.eos_token_id is None:
        raise UserError("tokenizer: it has no end-of-text token; T5's is </s>")
    return int(tokenizer.eos_token_id)


def _noted(rows: Sequence[Sequence[int]], cut: Sequence[Sequence[int]], limit: int) -> FlatTexts:
    whole = np.asarray([len(row) for row in rows], dtype=np.int64)
    return dataclasses.replace(FlatTexts.of(cut), whole=whole, limit=limit)


def encode_tasks(
    tokenizer: Any,
    rows: Sequence[Row],
    *,
    method: str,
    label_type: str,
    alpha: float,
    form: str,
    longest_input: int,
    longest_target: int,
    family: str = "encoder_decoder",
) -> list[EncodedTask]:
    """Return the tokenised tasks of `task_texts`. Raises `UserError` if there is nothing to train on."""
    if not rows:
        raise UserError("training rows: none left; check the file, the sub-sample and the validation share")
    return [
        EncodedTask(
            encode_inputs(tokenizer, inputs, longest_input, family),
            encode_targets(tokenizer, targets, longest_target, family),
            weight,
        )
        for inputs, targets, weight in task_texts(rows, method, label_type, alpha, form, str(tokenizer.eos_token))
    ]


class BatchOrder:
    """Which rows each batch of one run holds: every epoch in a new order drawn from the seed, its last batch short."""

    def __init__(self, n_rows: int, batch_size: int, seed: int) -> None:
        self.n_rows, self.batch_size, self.seed = n_rows, batch_size, seed
        self.per_epoch = -(-n_rows // batch_size)
        self._epoch, self._order = -1, np.empty(0, dtype=np.int64)

    def batch(self, number: int) -> np.ndarray:
        """Return the rows of a batch, filled up to `batch_size` with -1."""
        epoch, place = divmod(number, self.per_epoch)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, generator(self.seed, "order", epoch).permutation(self.n_rows)
        rows = self._order[place * self.batch_size : (place + 1) * self.batch_size]
        return np.concatenate([rows, np.full(self.batch_size - len(rows), -1, dtype=np.int64)])


def make_batch(runs: Sequence[Sequence[EncodedTask]], chosen: Sequence[np.ndarray], pad: int) -> TaskBatch:
    """Return the batch of several runs: `runs[r]` are a run's tasks, `chosen[r]` its rows (-1: empty).

    Rows that are empty in every run are left out; an empty row of one run has one visible pad token and no label.
    """
    used = max(int((rows >= 0).sum()) for rows in chosen)
    chosen = [rows[:used] for rows in chosen]
    n_tasks = len(runs[0])
    inputs = [[tasks[t].inputs.padded(rows, -1) for t in range(n_tasks)] for tasks, rows in zip(runs, chosen)]
    width = max(part.shape[1] for parts in inputs for part in parts)
    ids = np.stack([np.concatenate([_widened(part, width, -1) for part in parts]) for parts in inputs])
    mask = ids >= 0
    mask[:, :, 0] = True
    labels = []
    for t in range(n_tasks):
        parts = [tasks[t].targets.padded(rows, MASKED) for tasks, rows in zip(runs, chosen)]
        longest = max(part.shape[1] for part in parts)
        labels.append(np.stack([_widened(part, longest, MASKED) for part in parts]))
    return TaskBatch(np.where(ids >= 0, ids, pad), mask.astype(np.int64), tuple(labels))


def _widened(rows: np.ndarray, width: int, filler: int) -> np.ndarray:
    return np.pad(rows, ((0, 0), (0, width - rows.shape[1])), constant_values=filler)
