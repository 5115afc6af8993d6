"""The synthetic meta-training tasks: trained topics only, never a test task, equal for equal seeds."""

from __future__ import annotations

import dataclasses

import pytest

from scripts.common.errors import UserError
from scripts.data.schemas import validate
from scripts.data.synthetic import Task
from scripts.data.synthetic_meta_tasks import MetaTaskSettings, meta_rows, meta_tasks, texts
from scripts.data.synthetic_words import build_world

WORLD = build_world()


def test_tasks_are_about_trained_topics_with_labels_of_their_own():
    tasks = meta_tasks(WORLD, "meta", 50, 0, [])
    assert len({task.name for task in tasks}) == 50
    for task in tasks:
        assert 3 <= len(task.topics) <= 5
        assert set(task.topics) <= set(WORLD.trained_topics)
        assert len(set(task.labels)) == len(task.labels) == len(task.topics)
    assert tasks == meta_tasks(WORLD, "meta", 50, 0, [])
    assert tasks != meta_tasks(WORLD, "meta", 50, 1, [])


def test_no_task_labels_topics_as_a_test_task_does():
    first = meta_tasks(WORLD, "meta", 1, 0, [])[0]
    turned = Task("test", first.topics[::-1], first.labels[::-1], held_out=False)
    again = meta_tasks(WORLD, "meta", 1, 0, [turned])[0]
    assert set(zip(again.topics, again.labels)) != set(zip(first.topics, first.labels))


def test_rows_are_canonical_and_balanced():
    tasks = meta_tasks(WORLD, "meta", 3, 0, [])
    rows = validate(list(meta_rows(WORLD, tasks, 40, 0)), "classification", "x")
    assert len(rows) == 120
    for task in tasks:
        outputs = [row["output"] for row in rows if row["task"] == task.name]
        counts = [outputs.count(label) for label in task.labels]
        assert max(counts) - min(counts) <= 1
        of_topic = {label: set(WORLD.topics[topic]) for label, topic in zip(task.labels, task.topics)}
        for row in rows:
            if row["task"] == task.name:
                assert len(of_topic[row["output"]] & set(row["input"].split())) >= 4


def test_texts_are_words_of_the_vocabulary():
    found = [row["text"].split(" ") for row in texts(WORLD, 200, 0)]
    assert {word for words in found for word in words} <= set(WORLD.vocabulary)
    held_out = {word for topic in WORLD.held_out_topics for word in WORLD.topics[topic]}
    labelled = [words for words in found if words.count("Label:") + words.count("category") > 5]
    assert 70 < len(labelled) < 150
    assert not held_out & {word for words in labelled for word in words}


def test_sizes_are_checked():
    good = {"train_tasks": 1, "dev_tasks": 1, "rows_per_task": 1, "texts": 1}
    for field in dataclasses.fields(MetaTaskSettings):
        with pytest.raises(UserError, match=field.name):
            MetaTaskSettings(**{**good, field.name: 0})
