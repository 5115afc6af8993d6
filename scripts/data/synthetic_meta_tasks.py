"""Many small synthetic tasks to meta-train on, and texts to pre-train on: the mini tier's MetaICL and C4.

A task gives three to five topics one label word each, for this task only, so that nothing but its demonstrations tells
what a label means. All topics are those that the mini language model saw in labelled documents; the test tasks
(`scripts.data.synthetic`) have their own texts and none is repeated here.
"""

from __future__ import annotations

import dataclasses
import random
from typing import Any, Iterable, Iterator

from scripts.common.errors import UserError
from scripts.common.seeding import derive_seed
from scripts.data.synthetic import Task
from scripts.data.synthetic_documents import (
    LAYOUTS,
    author_document,
    classification_document,
    classification_text,
    draw_author,
    plain_document,
)
from scripts.data.synthetic_words import LABELS, World

TEXT_EXAMPLES = 16
AUTHOR_TOKENS = 96
PLAIN_TOKENS = 96


@dataclasses.dataclass(frozen=True)
class MetaTaskSettings:
    """Sizes: tasks to train on and to choose the best checkpoint by, rows of each, texts to pre-train on."""

    train_tasks: int
    dev_tasks: int
    rows_per_task: int
    texts: int

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise UserError(f"--settings: '{field.name}' is {value!r}; give a whole number from 1 on")


def meta_tasks(world: World, kind: str, count: int, seed: int, known: Iterable[Task]) -> list[Task]:
    """Return `count` tasks of 3 to 5 trained topics called `<kind>_000`, ...; none labels topics as one of `known`."""
    rng = random.Random(derive_seed(seed, "meta_tasks", kind))
    taken = {frozenset(zip(task.topics, task.labels)) for task in known}
    tasks: list[Task] = []
    while len(tasks) < count:
        n_classes = rng.randint(3, 5)
        topics = tuple(rng.sample(world.trained_topics, n_classes))
        labels = tuple(rng.sample(LABELS, n_classes))
        pairing = frozenset(zip(topics, labels))
        if pairing not in taken:
            taken.add(pairing)
            tasks.append(Task(f"{kind}_{len(tasks):03d}", topics, labels, held_out=False))
    return tasks


def meta_rows(world: World, tasks: Iterable[Task], n_rows: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield `n_rows` rows of each task in the classification schema; every class occurs about equally often."""
    for task in tasks:
        rng = random.Random(derive_seed(seed, "meta_rows", task.name))
        kinds = [number % len(task.topics) for number in range(n_rows)]
        rng.shuffle(kinds)
        for kind in kinds:
            words = [word for word, _ in classification_text(world, task.topics[kind], rng)]
            yield {
                "task": task.name,
                "input": " ".join(words),
                "output": task.labels[kind],
                "options": sorted(task.labels),
            }


def texts(world: World, count: int, seed: int) -> Iterator[dict[str, str]]:
    """Yield `count` texts of trained topics: 75 % labelled documents in all layouts, 15 % by authors, 10 % plain."""
    rng = random.Random(derive_seed(seed, "meta_texts"))
    for _ in range(count):
        chance = rng.random()
        if chance < 0.75:
            topics = rng.sample(world.trained_topics, rng.randint(3, 5))
            layout = rng.randrange(len(LAYOUTS))
            tokens = classification_document(world, rng, topics, TEXT_EXAMPLES, layout).tokens
        elif chance < 0.9:
            author = draw_author(rng, careful=0.5)
            tokens = author_document(
                world, rng, author, neutral=rng.random() < 0.5, n_examples=TEXT_EXAMPLES, max_tokens=AUTHOR_TOKENS
            ).tokens
        else:
            tokens = plain_document(world, rng, rng.sample(world.trained_topics, 2), PLAIN_TOKENS)
        yield {"text": " ".join(tokens)}
