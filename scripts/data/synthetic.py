"""The synthetic corpus: raw files of the same formats that the real readers read, with a known truth behind them.

Instruction pools with known quality, clean anchors, benchmarks with gold references, classification tasks with hidden
label words. Everything follows from a seed and the sizes; the words are those of the mini models
(`scripts.data.synthetic_words`).
"""

from __future__ import annotations

import dataclasses
import random
from typing import Any, Sequence

from scripts.common.errors import UserError
from scripts.common.seeding import derive_seed
from scripts.data.synthetic_documents import FAULT_WEIGHTS, classification_text
from scripts.data.synthetic_instructions import FAMILIES, GROUPS, Example, make_example, spoil
from scripts.data.synthetic_words import LABELS, World

SPOKEN_FAULTS = ("wrong", "off_topic", "truncated", "filler")
"""Faults that leave an answer to read: those of the baseline whom the benchmark compares with."""

MT_BENCH_CATEGORIES = ("copy", "reverse", "first", "translate", "opposite", "next", "sort", "extract")


@dataclasses.dataclass(frozen=True)
class CorpusSettings:
    """Sizes and shares of the raw files.

    pool_size, good_share, duplicate_share: instructions to choose from, the share that is right, the share that asks a
    question of the pool again in other words; anchor_size: clean examples; eval_size, baseline_care: benchmark prompts
    and the share that the baseline answers rightly; mt_bench_size: two-turn questions; task_train, task_dev: examples a
    class; task_test: examples a task.
    """

    pool_size: int
    good_share: float
    duplicate_share: float
    anchor_size: int
    eval_size: int
    baseline_care: float
    mt_bench_size: int
    task_train: int
    task_dev: int
    task_test: int

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            share = field.name.endswith(("share", "care"))
            if isinstance(value, bool) or not isinstance(value, (int, float) if share else int):
                raise UserError(f"--settings: '{field.name}' is {value!r}; give a number")
            if (share and not 0 <= value <= 1) or (not share and value < 1):
                raise UserError(
                    f"--settings: '{field.name}' is {value}; give {'a share in 0..1' if share else '1 or more'}"
                )


@dataclasses.dataclass(frozen=True)
class Task:
    """A classification task: its topics (indices), one hidden label word each, and whether they are held out."""

    name: str
    topics: tuple[int, ...]
    labels: tuple[str, ...]
    held_out: bool


class Corpus:
    """All raw files of one seed. No question of one part is asked in another part."""

    def __init__(self, world: World, settings: CorpusSettings, seed: int) -> None:
        self.world, self.settings, self.seed = world, settings, seed
        asked: set[tuple[str, tuple[str, ...]]] = set()
        self.eval_examples = self._fresh(asked, "eval", settings.eval_size, _eval_families(settings.eval_size))
        categories = [MT_BENCH_CATEGORIES[i % len(MT_BENCH_CATEGORIES)] for i in range(settings.mt_bench_size)]
        self.first_turns = self._fresh(asked, "first_turns", settings.mt_bench_size, categories)
        self.second_turns = self._fresh(asked, "second_turns", settings.mt_bench_size)
        self.anchor_examples = self._fresh(asked, "anchors", settings.anchor_size)
        self.pool_examples, self.duplicate_of = self._pool(asked)

    def _rng(self, name: str) -> random.Random:
        return random.Random(derive_seed(self.seed, "corpus", name))

    def _fresh(
        self, asked: set[tuple[str, tuple[str, ...]]], name: str, count: int, families: Sequence[str] = ()
    ) -> list[Example]:
        """Return `count` right examples whose questions are not in `asked` (which they join)."""
        rng = self._rng(name)
        examples: list[Example] = []
        failures = 0
        while len(examples) < count:
            family = families[len(examples)] if families else rng.choice(list(FAMILIES))
            example = make_example(self.world, family, rng)
            if example.key in asked:
                failures += 1
                if failures > 1000 + 10 * count:
                    raise UserError(
                        f"--settings: family '{family}' has no new question left for '{name}'; ask for fewer"
                    )
                continue
            asked.add(example.key)
            examples.append(example)
        return examples

    def _pool(self, asked: set[tuple[str, tuple[str, ...]]]) -> tuple[list[Example], list[int | None]]:
        """Return the pool, good and careless examples mixed, and per example the one whose question it asks again."""
        size = self.settings.pool_size
        rng = self._rng("pool_quality")
        n_again = round(self.settings.duplicate_share * size)
        first = self._fresh(asked, "pool", size - n_again)
        n_good = round(self.settings.good_share * size)
        good = [True] * n_good + [False] * (size - n_good)
        rng.shuffle(good)
        examples = [one if right else careless(self.world, one, rng) for one, right in zip(first, good)]
        sources: list[int | None] = [None] * len(first)
        for right in good[len(first) :]:
            source = rng.randrange(len(first))
            again = [p for p in FAMILIES[first[source].family].phrasings if p != first[source].instruction]
            example = dataclasses.replace(first[source], instruction=rng.choice(again))
            examples.append(example if right else careless(self.world, example, rng))
            sources.append(source)
        order = rng.sample(range(size), size)
        place = {old: new for new, old in enumerate(order)}
        return [examples[i] for i in order], [None if (source := sources[i]) is None else place[source] for i in order]

    def pool(self) -> list[dict[str, str]]:
        """Return the instruction pool in Alpaca's form; half of the inputs stand in the instruction."""
        rng = self._rng("pool_form")
        return [alpaca_row(example, block=rng.random() < 0.5) for example in self.pool_examples]

    def truth(self) -> list[dict[str, Any]]:
        """Return what is known of each row of the pool: good or not, family, fault, and the row it nearly repeats."""
        rows = zip(self.pool_examples, self.duplicate_of)
        return [
            {
                "id": str(number),
                "good": example.fault is None,
                "family": example.family,
                "fault": example.fault or "",
                "duplicate_of": "" if source is None else str(source),
            }
            for number, (example, source) in enumerate(rows)
        ]

    def anchor_pool(self) -> list[dict[str, str]]:
        """Return the clean examples from which anchors are chosen, in Alpaca's form."""
        rng = self._rng("anchor_form")
        return [alpaca_row(example, block=rng.random() < 0.5) for example in self.anchor_examples]

    def alpaca_eval(self) -> list[dict[str, str]]:
        """Return the benchmark in AlpacaEval's form: `output` is the baseline's answer, `reference` the right one."""
        rng = self._rng("baseline")
        group_of = {family: group for group, families in GROUPS.items() for family in families}
        rows = []
        for example in self.eval_examples:
            answer = example
            if rng.random() >= self.settings.baseline_care:
                answer = careless(self.world, example, rng, SPOKEN_FAULTS)
            rows.append(
                {
                    "instruction": prompt(example),
                    "output": " ".join(answer.answer),
                    "generator": "synthetic_baseline",
                    "dataset": group_of[example.family],
                    "datasplit": "eval",
                    "reference": " ".join(example.answer),
                }
            )
        return rows

    def mt_bench_questions(self) -> list[dict[str, Any]]:
        """Return two-turn questions in MT-Bench's form; the second turn is another instruction."""
        return [
            {"question_id": number, "category": first.family, "turns": [prompt(first), prompt(second)]}
            for number, (first, second) in enumerate(zip(self.first_turns, self.second_turns), start=1)
        ]

    def mt_bench_references(self) -> list[dict[str, Any]]:
        """Return the right answers to the questions in MT-Bench's form."""
        return [
            {
                "question_id": number,
                "answer_id": f"gold_{number}",
                "model_id": "gold",
                "choices": [{"index": 0, "turns": [" ".join(first.answer), " ".join(second.answer)]}],
                "tstamp": 0.0,
            }
            for number, (first, second) in enumerate(zip(self.first_turns, self.second_turns), start=1)
        ]

    def tasks(self) -> list[Task]:
        """Return a dozen classification tasks: six of trained topics, six of held-out ones, 3 to 20 classes."""
        tasks = []
        for held_out, topics in ((False, self.world.trained_topics), (True, self.world.held_out_topics)):
            rng = self._rng(f"tasks_{held_out}")
            for n_classes, letter in ((3, "a"), (3, "b"), (4, "a"), (4, "b"), (5, "a"), (20, "a")):
                if n_classes > len(topics):
                    raise UserError(f"the world has {len(topics)} topics of a kind; a task needs {n_classes}")
                name = f"{'held_out' if held_out else 'trained'}_{n_classes}_{letter}"
                labels = tuple(rng.sample(LABELS, n_classes))
                tasks.append(Task(name, tuple(rng.sample(topics, n_classes)), labels, held_out))
        return tasks

    def task_rows(self, task: Task, split: str) -> list[tuple[str, str]]:
        """Return (text, label) rows of a split, classes in random order; train and dev hold equal numbers a class."""
        rng = self._rng(f"{task.name}/{split}")
        if split == "test":
            kinds = [rng.randrange(len(task.topics)) for _ in range(self.settings.task_test)]
        else:
            per_class = {"train": self.settings.task_train, "dev": self.settings.task_dev}[split]
            kinds = [kind for kind in range(len(task.topics)) for _ in range(per_class)]
            rng.shuffle(kinds)
        texts = (classification_text(self.world, task.topics[kind], rng) for kind in kinds)
        return [(" ".join(word for word, _ in text), task.labels[kind]) for text, kind in zip(texts, kinds)]


def _eval_families(size: int) -> list[str]:
    """Return `size` families in turn, so that each is asked equally often."""
    families = list(FAMILIES)
    return [families[i % len(families)] for i in range(size)]


def careless(
    world: World, example: Example, rng: random.Random, faults: Sequence[str] = tuple(FAULT_WEIGHTS)
) -> Example:
    """Return the example with one of the faults, as often as `FAULT_WEIGHTS` says; a cut answer keeps some words."""
    possible = [fault for fault in faults if fault != "truncated" or len(example.answer) > 1]
    fault = rng.choices(possible, weights=[FAULT_WEIGHTS[fault] for fault in possible])[0]
    return spoil(world, example, fault, rng)


def prompt(example: Example) -> str:
    """Return instruction and input in one line, as a benchmark without input field asks it."""
    return f"{example.instruction} : {' '.join(example.words)}"


def alpaca_row(example: Example, *, block: bool) -> dict[str, str]:
    """Return an example in Alpaca's form; `block` says whether its input stands in the field `input`."""
    answer = " ".join(example.answer)
    if block:
        return {"instruction": example.instruction, "input": " ".join(example.words), "output": answer}
    return {"instruction": prompt(example), "input": "", "output": answer}
