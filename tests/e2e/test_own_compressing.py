"""Demonstrations become vectors and questions are asked behind them, by the front door, with the shipped models."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from scripts.common.files import read_jsonl, write_jsonl
from scripts.data.synthetic_documents import classification_text
from scripts.data.synthetic_words import LABELS, build_world
from scripts.own.cli import main
from tests.workspace import REPO_ROOT

CLASSES, SHOTS, ASKED = 3, 16, 30


def test_compress_and_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three topics with label words drawn for them: without demonstrations one guess in three is right."""
    world, rng = build_world(), random.Random(11)
    topics, labels = rng.sample(world.trained_topics, CLASSES), rng.sample(LABELS, CLASSES)
    rows = []
    for number in range(SHOTS + ASKED):
        kind = number % CLASSES
        text = " ".join(word for word, _ in classification_text(world, topics[kind], rng))
        rows.append({"task": "mine", "input": text, "output": labels[kind], "options": labels})
    write_jsonl(tmp_path / "demonstrations.jsonl", rows[:SHOTS])
    write_jsonl(tmp_path / "questions.jsonl", [{"input": row["input"]} for row in rows[SHOTS:]])
    monkeypatch.chdir(tmp_path)
    distiller = str(REPO_ROOT / "resources/mini/distiller")
    main(["compress", "demonstrations.jsonl", "--distiller", distiller, "--model", "mini_causal"])
    main(["answer", "questions.jsonl", "--with", "vectors.safetensors", "--model", "mini_causal"])
    answers = read_jsonl(tmp_path / "answers.jsonl")
    right = sum(answer["prediction"] == row["output"] for answer, row in zip(answers, rows[SHOTS:]))
    assert len(answers) == ASKED
    assert right > ASKED / 2
