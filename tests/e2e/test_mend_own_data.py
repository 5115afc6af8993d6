"""The README's commands for one's own demonstrations, run as they stand there, with the shipped model and distiller."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from scripts.common.files import read_jsonl, write_jsonl
from scripts.data.synthetic_documents import classification_text
from scripts.data.synthetic_words import LABELS, build_world
from tests.e2e.test_own_data import block
from tests.workspace import Workspace, environment

CLASSES, SHOTS, ASKED = 3, 16, 30


def test_the_commands_by_hand(tmp_path: Path) -> None:
    """A task of three topics with label words drawn for it: without its demonstrations one guess in three is right."""
    world, rng = build_world(), random.Random(11)
    topics, labels = rng.sample(world.trained_topics, CLASSES), rng.sample(LABELS, CLASSES)
    rows = []
    for number in range(SHOTS + ASKED):
        kind = number % CLASSES
        text = " ".join(word for word, _ in classification_text(world, topics[kind], rng))
        rows.append({"task": "mine", "input": text, "output": labels[kind], "options": labels})
    write_jsonl(tmp_path / "demonstrations.jsonl", rows[:SHOTS])
    write_jsonl(tmp_path / "queries.jsonl", [{"input": row["input"]} for row in rows[SHOTS:]])
    workspace = Workspace(tmp_path / "work")
    for name in ("demonstrations", "queries"):
        (tmp_path / f"{name}.jsonl").rename(workspace.folder / f"{name}.jsonl")
    path = f"{Path(sys.executable).parent}:{environment()['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block("# own-demonstrations")],
        cwd=workspace.folder,
        env={**environment(), "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answers = read_jsonl(workspace.folder / "answers.jsonl")
    assert len(answers) == ASKED
    right = sum(answer["prediction"] == row["output"] for answer, row in zip(answers, rows[SHOTS:]))
    assert right > ASKED / 2
