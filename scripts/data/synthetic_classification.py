"""Synthetic classification tasks for distilling data: raw files in the formats of GLUE, SetFit, AG News and BANKING77.

Three properties make it matter which training texts one takes: a large share of them says next to nothing about the
class, some labels are wrong, and each class has several sub-topics that a small set has to cover. Test texts are
informative and rightly labelled. Words, topics and label words are those of the mini models
(`scripts.data.synthetic_words`).
"""

from __future__ import annotations

import dataclasses
import random
from typing import Sequence

from scripts.common.errors import UserError
from scripts.common.seeding import derive_seed
from scripts.data.synthetic_words import FILLERS, LABELS, World

MIN_WORDS, MAX_WORDS = 6, 12


@dataclasses.dataclass(frozen=True)
class ClassificationSettings:
    """Sizes (rows a split) and shares of the training texts.

    train, test: rows; uninformative_share: texts of filler words with at most one word of their topic; noise_share:
    rows whose label is that of another class; sub_topics: topics a class has in the tasks of 2, 3 and 4 classes.
    """

    train: int
    test: int
    uninformative_share: float
    noise_share: float
    sub_topics: int

    def __post_init__(self) -> None:
        for name in ("train", "test", "sub_topics"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise UserError(f"--settings: '{name}' is {value!r}; give a whole number from 1 on")
        for name in ("uninformative_share", "noise_share"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
                raise UserError(f"--settings: '{name}' is {value!r}; give a share in [0, 1)")


@dataclasses.dataclass(frozen=True)
class LabelledTask:
    """A task: its topics by class (indices into the world's) and the word that names each class.

    pair: each row holds two texts; class 0 = of two topics, class 1 = of one topic (as QQP counts).
    """

    name: str
    topics: tuple[tuple[int, ...], ...]
    labels: tuple[str, ...]
    pair: bool = False


@dataclasses.dataclass(frozen=True)
class LabelledRow:
    """One text (or two) with the label it carries and, behind the scenes, its right class and what is wrong with it."""

    texts: tuple[str, ...]
    label: int
    right: int
    informative: bool


TASKS: dict[str, tuple[int, int, bool]] = {
    "sentiment": (2, 0, False),
    "triple": (3, 0, False),
    "news": (4, 0, False),
    "pairs": (2, 3, True),
    "intents": (20, 1, False),
}
"""Task -> number of classes, topics a class (0: `sub_topics`), whether rows are pairs. Topics are drawn for a pair task
from `classes * topics` of them."""


def labelled_tasks(world: World, settings: ClassificationSettings) -> dict[str, LabelledTask]:
    """Return the tasks, the same for every seed: their topics and label words are a property of the world.

    No two tasks share a topic; all are topics that the mini models saw in classification documents.
    """
    rng = random.Random(derive_seed(0, "labelled tasks"))
    topics = rng.sample(world.trained_topics, len(world.trained_topics))
    tasks = {}
    for name, (n_classes, per_class, pair) in TASKS.items():
        per_class = per_class or settings.sub_topics
        if n_classes * per_class > len(topics):
            raise UserError(f"--settings: 'sub_topics' is {settings.sub_topics}; the world has too few topics for that")
        groups = tuple(tuple(topics.pop() for _ in range(per_class)) for _ in range(n_classes))
        tasks[name] = LabelledTask(name, groups, tuple(rng.sample(LABELS, n_classes)), pair)
    return tasks


def topic_text(world: World, topic: int, rng: random.Random, *, informative: bool) -> str:
    """Return 6 to 12 words, fillers and half of them (of an uninformative text: at most one) of the topic."""
    n_words = rng.randint(MIN_WORDS, MAX_WORDS)
    n_topical = n_words // 2 if informative else int(rng.random() < 0.3)
    words = rng.sample(world.topics[topic], min(n_topical, len(world.topics[topic])))
    words += rng.choices(world.topics[topic], k=n_topical - len(words))
    words += rng.choices(FILLERS, k=n_words - n_topical)
    rng.shuffle(words)
    return " ".join(words)


def labelled_rows(
    world: World, task: LabelledTask, settings: ClassificationSettings, split: str, seed: int
) -> list[LabelledRow]:
    """Return the rows of a split: classes equally often (up to one), in random order.

    `train` has the settings' shares of uninformative texts and wrong labels, exactly (rounded); `test` has neither.
    """
    rng = random.Random(derive_seed(seed, "labelled rows", task.name, split))
    n_rows = {"train": settings.train, "test": settings.test}[split]
    n_classes = len(task.topics)
    classes = [row % n_classes for row in range(n_rows)]
    rng.shuffle(classes)
    train = split == "train"
    dull = _marks(n_rows, settings.uninformative_share if train else 0.0, rng)
    wrong = _marks(n_rows, settings.noise_share if train else 0.0, rng)
    rows = []
    for right, is_dull, is_wrong in zip(classes, dull, wrong):
        texts = _texts(world, task, right, rng, informative=not is_dull)
        label = rng.choice([c for c in range(n_classes) if c != right]) if is_wrong else right
        rows.append(LabelledRow(texts, label, right, not is_dull))
    return rows


def _marks(n: int, share: float, rng: random.Random) -> list[bool]:
    marked = set(rng.sample(range(n), round(share * n)))
    return [row in marked for row in range(n)]


def _texts(world: World, task: LabelledTask, kind: int, rng: random.Random, *, informative: bool) -> tuple[str, ...]:
    if not task.pair:
        return (topic_text(world, rng.choice(task.topics[kind]), rng, informative=informative),)
    first, second = rng.sample([topic for group in task.topics for topic in group], 2)
    return tuple(topic_text(world, topic, rng, informative=informative) for topic in (first, first if kind else second))


def raw_text(task: LabelledTask, rows: Sequence[LabelledRow]) -> str:
    """Return the content of a raw file, each task in another upstream format.

    sentiment: GLUE's SST-2 (TSV, header `sentence label`); triple: SetFit's JSON lines (text, label, label_text);
    news: AG News' CSV (class from 1 on, title, description; no header); pairs: GLUE's QQP (TSV, six columns); intents:
    BANKING77's CSV (text, category).
    """
    lines = {
        "sentiment": _sentence_lines,
        "triple": _json_lines,
        "news": _news_lines,
        "pairs": _pair_lines,
        "intents": _category_lines,
    }[task.name](task, rows)
    return "".join(f"{line}\n" for line in lines)


def _sentence_lines(task: LabelledTask, rows: Sequence[LabelledRow]) -> list[str]:
    return ["sentence\tlabel", *(f"{row.texts[0]}\t{row.label}" for row in rows)]


def _json_lines(task: LabelledTask, rows: Sequence[LabelledRow]) -> list[str]:
    return [
        f'{{"text": "{row.texts[0]}", "label": {row.label}, "label_text": "{task.labels[row.label]}"}}' for row in rows
    ]


def _news_lines(task: LabelledTask, rows: Sequence[LabelledRow]) -> list[str]:
    lines = []
    for row in rows:
        words = row.texts[0].split()
        lines.append(f'"{row.label + 1}","{" ".join(words[:2])}","{" ".join(words[2:])}"')
    return lines


def _pair_lines(task: LabelledTask, rows: Sequence[LabelledRow]) -> list[str]:
    body = (f"{i}\t{2 * i}\t{2 * i + 1}\t{row.texts[0]}\t{row.texts[1]}\t{row.label}" for i, row in enumerate(rows))
    return ["id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate", *body]


def _category_lines(task: LabelledTask, rows: Sequence[LabelledRow]) -> list[str]:
    return ["text,category", *(f"{row.texts[0]},{task.labels[row.label]}" for row in rows)]
