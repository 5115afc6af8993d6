"""`thrift check`: what was read of a file, and what each way to choose would need."""

from __future__ import annotations

import dataclasses
import statistics
import sys
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.own.flags import OneLineParser, add_data_flags
from scripts.own.models import OwnModel, find_model
from scripts.own.rows import OwnRows, parse_columns, read_own
from scripts.own.run_folder import ROOT
from scripts.own.settings import MODEL
from scripts.own.ways import needs_goal, needs_model, offered, spoken
from scripts.selection.methods import WAYS

PASSES = {
    "golden_scores": "{goal} + 1 texts a row",
    "utilities": "{goal} texts a row",
    "difficulty": "2 texts a row",
    "ifd": "2 texts a row",
    "ratings": "5 texts a row",
    "gradients": "2 texts a row, backwards too",
    "similarities": "1 text a row",
    "embeddings": "1 text a row",
    "goal_embeddings": "1 text a row",
}
"""Material -> what a model reads for it; `{goal}` is the number of rows that are chosen for."""
DRAWN = 100
"""Rows that stand in for a goal where NUGGETS draws its anchors from the pool."""


@dataclasses.dataclass(frozen=True)
class Facts:
    """What is known of a file's rows. Lengths in characters; n_repeated: rows that ask and answer what an earlier one
    does; n_asked_again: that ask what an earlier one asks, and answer otherwise."""

    form: str
    n_read: int
    n_without_answer: int
    n_repeated: int
    n_asked_again: int
    question_median: int
    question_longest: int
    answer_median: int
    answer_longest: int


def parser() -> OneLineParser:
    """Return the parser of the command."""
    built = OneLineParser("check", "Say what was read of a file, and what each way to choose would need.")
    data = add_data_flags(built, "rows to look at")
    data.add_argument("--goal", type=Path, metavar="FILE", help="rows that are to be chosen for")
    model = built.add_argument_group("model")
    model.add_argument("--model", metavar="NAME", help="count tokens as this model reads them")
    return built


def main(words: Sequence[str]) -> None:
    """Look and tell."""
    args = parser().parse(words)
    columns = parse_columns(args.columns)
    model = find_model(args.model, "--model", ROOT, MODEL) if args.model else None
    pool = read_own(args.pool, "POOL", columns, args.turns)
    goal = read_own(args.goal, "--goal", columns, args.turns) if args.goal else None
    lines = [pool.said, *facts_in_words(facts_of(pool))]
    if model is not None and model.row is not None and model.row.get("local"):
        lines += tokens_in_words(pool, model)
    if goal is not None:
        lines += [goal.said, *facts_in_words(facts_of(goal)), *shared_in_words(pool, goal)]
    lines += ["", "what each way needs, and what a model would read:"]
    lines += ways_in_words(len(goal) if goal else None)
    sys.stdout.write("\n".join(lines) + "\n")


def check(pool: str | Path, columns: str | None = None) -> Facts:
    """Return what is known of a file's rows."""
    return facts_of(read_own(Path(pool), "pool", parse_columns(columns)))


def facts_of(rows: OwnRows) -> Facts:
    """Return what is known of rows."""
    questions = [question(row) for row in rows.rows]
    pairs = [(asked, row["output"].strip()) for asked, row in zip(questions, rows.rows)]
    n_repeated = len(pairs) - len(set(pairs))
    n_asked_again = len(questions) - len(set(questions)) - n_repeated
    lengths = [[len(text) for text in side] for side in (questions, [answer for _, answer in pairs])]
    return Facts(
        rows.form,
        rows.n_read,
        rows.n_left_out,
        n_repeated,
        n_asked_again,
        *(value for side in lengths for value in (int(statistics.median(side)), max(side))),
    )


def question(row: Mapping[str, Any]) -> str:
    """Return what a row asks, input included."""
    return f"{row['instruction'].strip()}\n{row['input'].strip()}".strip()


def facts_in_words(facts: Facts) -> list[str]:
    """Return the facts as lines."""
    return [
        f"  questions: {facts.question_median:,} characters in the median, {facts.question_longest:,} the longest",
        f"  answers: {facts.answer_median:,} characters in the median, {facts.answer_longest:,} the longest",
        f"  empty answers: {facts.n_without_answer:,}",
        f"  duplicates: {facts.n_repeated:,} rows stand there before,"
        f" {facts.n_asked_again:,} ask what another asks and answer otherwise",
    ]


def tokens_in_words(rows: OwnRows, model: OwnModel) -> list[str]:
    """Return how many tokens a model reads, and how many rows do not fit its window."""
    from scripts.lm.load import load_tokenizer

    tokenizer = load_tokenizer(str((model.row or {})["local"]))
    texts = [f"{question(row)}\n{row['output']}" for row in rows.rows]
    counts = [len(ids) for ids in tokenizer(texts, verbose=False)["input_ids"]]
    name = model.name if model.row is None else model.row["title"]
    line = f"  tokens of {name}: {sum(counts):,} in all, {max(counts):,} the longest"
    if model.window is None:
        return [line]
    too_long = sum(count > model.window for count in counts)
    return [f"{line}; {too_long:,} rows are longer than its window of {model.window:,} and would be cut"]


def shared_in_words(pool: OwnRows, goal: OwnRows) -> list[str]:
    """Return how many questions of the goal the pool asks too."""
    asked = {question(row) for row in pool.rows}
    shared = sum(question(row) in asked for row in goal.rows)
    return [f"  {shared:,} of its questions stand in the pool too"] if shared else []


def ways_in_words(n_goal: int | None) -> list[str]:
    """Return a line for each way: whether it can run with what is given, and what a model reads for it."""
    lines = []
    for way in offered():
        missing = "give --goal" if needs_goal(way) and n_goal is None else ""
        goal = n_goal if n_goal is not None else ("all" if "utilities" in WAYS[way].needs else DRAWN)
        reads = ", ".join(dict.fromkeys(PASSES[need].format(goal=goal) for need in WAYS[way].needs if need in PASSES))
        needed = f"--model reads {reads}" if needs_model(way) else "no model"
        lines.append(f"  {spoken(way):13} {missing + '; ' if missing else ''}{needed}")
    return lines
