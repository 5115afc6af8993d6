"""Small files of one's own, in several forms, for the tests of the front door."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def rows(n: int, start: int = 0) -> list[dict[str, str]]:
    """Return n questions of two families, every third answer wrong."""
    found = []
    for number in range(start, start + n):
        given = " ".join(WORDS[(number * step) % len(WORDS)] for step in (1, 3, 7))
        right = given if number % 2 else given.split()[0]
        task = f"copy the words {number}" if number % 2 else f"give the first word {number}"
        found.append({"instruction": task, "input": given, "output": "ten ten" if number % 3 == 0 else right})
    return found


def write_pool(folder: Path, n: int = 20, name: str = "pool.json", **more: Any) -> Path:
    """Write Alpaca rows as a JSON list; `more` goes into every row."""
    path = folder / name
    path.write_text(json.dumps([{**row, **more} for row in rows(n)]), encoding="utf-8")
    return path


def write_sharegpt(folder: Path, n: int = 20) -> Path:
    """Write conversations of two answers each as JSON lines; the last one has no answer."""
    lines = []
    for row in rows(n):
        asked = f"{row['instruction']}: {row['input']}"
        turns = [{"from": "human", "value": asked}, {"from": "gpt", "value": row["output"]}]
        turns += [{"from": "human", "value": "Thanks."}, {"from": "gpt", "value": "Welcome."}]
        lines.append({"conversations": turns})
    lines.append({"conversations": [{"from": "human", "value": "Anybody?"}]})
    path = folder / "talks.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def write_questions(folder: Path, n: int = 20, delimiter: str = ";") -> Path:
    """Write questions and answers as a table, the last row without an answer."""
    lines = [delimiter.join(("nr", "question", "answer"))]
    lines += [
        delimiter.join((str(i), f"{row['instruction']}: {row['input']}", row["output"]))
        for i, row in enumerate(rows(n))
    ]
    lines.append(delimiter.join((str(n), "who knows", "")))
    path = folder / "questions.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
