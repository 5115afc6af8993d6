"""Write the synthetic reasoning sets and their teachers' raw answers: the mini tier's NLI, CQA, SVAMP, ASDiv, generic.

The formats are those of the released files. Equal seeds and sizes give equal bytes.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Sequence
from xml.sax.saxutils import escape

from scripts.common.errors import run_step
from scripts.common.files import to_json, write_json, write_jsonl, write_text
from scripts.common.settings import parse_settings
from scripts.data.synthetic_reasoning import Question, ReasoningSets, ReasoningSettings

SOLUTIONS = {"+": "Addition", "-": "Subtraction", "*": "Multiplication", "/": "Common-Division"}
BATCHES = {"train": 2, "valid": 1, "test": 1}
"""Files that a teacher's answers to one split are spread over, as the released ones are."""


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="JSON: synthetic_reasoning.ReasoningSettings")
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument(
        "--sets-out",
        required=True,
        type=Path,
        help="folder for {set}_{split}.json, asdiv.xml and {set}_{teacher}_{split}_{batch}.json",
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Generate the sets and write their files."""
    args = parse_args(argv)
    sets = ReasoningSets(parse_settings(ReasoningSettings, args.settings), args.seed)
    for name, splits in sets.questions.items():
        for split, questions in splits.items():
            write_set(args.sets_out, name, split, questions)
            if name != "generic":  # its file holds the rationales itself
                for teacher in sets.settings.teacher_errors:
                    write_answers(args.sets_out, f"{name}_{teacher}_{split}", sets.outputs(name, teacher, split), split)


def write_set(folder: Path, name: str, split: str, questions: Sequence[Question]) -> None:
    """Write one split of a set in the format of its model."""
    if name == "asdiv":
        write_text(folder / "asdiv.xml", problem_set(questions))
    elif name == "generic":  # the fork's sample files hold one indented object after the other
        text = "\n".join(to_json(question.row, indent=2) for question in questions)
        write_text(folder / f"generic_{split}.json", text + "\n")
    else:
        rows = [_row(name, number, question) for number, question in enumerate(questions)]
        write_jsonl(folder / f"{name}_{split}.json", rows)


def _row(name: str, number: int, question: Question) -> dict[str, Any]:
    if name == "svamp":
        return {"input": f"{question.row['Body']}\n{question.row['Question']}", "label": question.label}
    return {**question.row, "uid" if name == "nli" else "id": f"{name}-{number}"}


def problem_set(questions: Sequence[Question]) -> str:
    """Return word problems in ASDiv's XML."""
    lines = ['<?xml version="1.0" encoding="UTF-8" ?>', "<Machine-Reading-Corpus-File>", "<ProblemSet>"]
    for number, question in enumerate(questions, start=1):
        row = question.row
        first, second, sign = row["first"], row["second"], row["sign"]
        value = {"+": first + second, "-": first - second, "*": first * second, "/": first / second}[sign]
        lines += [
            f'\t<Problem ID="mini-{number:04d}" Grade="1" Source="synthetic">',
            f"\t\t<Body>{escape(row['Body'])}</Body>",
            f"\t\t<Question>{escape(row['Question'])}</Question>",
            f"\t\t<Solution-Type>{SOLUTIONS[sign]}</Solution-Type>",
            f"\t\t<Answer>{value:.12g} ({row['thing']})</Answer>",
            f"\t\t<Formula>{first}{sign}{second}={value:.12g}</Formula>",
            "\t</Problem>",
        ]
    return "\n".join([*lines, "</ProblemSet>", "</Machine-Reading-Corpus-File>"]) + "\n"


def write_answers(folder: Path, stem: str, outputs: Sequence[str], split: str) -> None:
    """Write a teacher's answers as JSON arrays, in as many files as the split has batches."""
    size = -(-len(outputs) // BATCHES[split])
    for batch in range(BATCHES[split]):
        write_json(folder / f"{stem}_{batch}.json", list(outputs[batch * size : (batch + 1) * size]))


if __name__ == "__main__":
    run_step(main)
