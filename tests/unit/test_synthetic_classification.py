"""The synthetic classification tasks: shares, formats, words."""

from __future__ import annotations

import collections

import pytest
import yaml

from scripts.common.errors import UserError
from scripts.data.generate_classification import SUFFIXES, main
from scripts.data.readers import read_raw
from scripts.data.synthetic_classification import ClassificationSettings, labelled_rows, labelled_tasks
from scripts.data.synthetic_words import FILLERS, build_world

SETTINGS = ClassificationSettings(train=300, test=60, uninformative_share=0.4, noise_share=0.12, sub_topics=3)
TEXT = '{"train": 60, "test": 20, "uninformative_share": 0.4, "noise_share": 0.12, "sub_topics": 3}'


@pytest.fixture(scope="module")
def tasks():
    return labelled_tasks(build_world(), SETTINGS)


def test_tasks_share_no_topic_and_use_trained_ones(tasks):
    topics = [topic for task in tasks.values() for group in task.topics for topic in group]
    assert len(set(topics)) == len(topics)
    assert set(topics) <= set(build_world().trained_topics)
    assert [len(task.labels) for task in tasks.values()] == [2, 3, 4, 2, 20]
    assert all(len(set(task.labels)) == len(task.labels) for task in tasks.values())


def test_shares_are_exact_in_training_and_zero_in_testing(tasks):
    for task in tasks.values():
        rows = labelled_rows(build_world(), task, SETTINGS, "train", 0)
        assert sum(not row.informative for row in rows) == 120
        assert sum(row.label != row.right for row in rows) == 36
        counts = collections.Counter(row.right for row in rows)
        assert max(counts.values()) - min(counts.values()) <= 1
        test = labelled_rows(build_world(), task, SETTINGS, "test", 0)
        assert all(row.informative and row.label == row.right for row in test)


def test_words_tell_the_class(tasks):
    world = build_world()
    topic_of = {word: topic for topic, words in enumerate(world.topics) for word in words}
    for name in ("sentiment", "triple", "news", "intents"):
        task = tasks[name]
        seen = [set() for _ in task.topics]
        for row in labelled_rows(world, task, SETTINGS, "train", 0):
            words = row.texts[0].split()
            assert 6 <= len(words) <= 12
            topics = {topic_of[word] for word in words if word not in FILLERS}
            assert len(topics) == 1 if row.informative else len(topics) <= 1
            assert topics <= set(task.topics[row.right])
            seen[row.right] |= topics
        assert [len(found) for found in seen] == [len(group) for group in task.topics]  # every sub-topic occurs


def test_pairs_are_of_one_topic_or_of_two(tasks):
    topic_of = {word: topic for topic, words in enumerate(build_world().topics) for word in words}
    for row in labelled_rows(build_world(), tasks["pairs"], SETTINGS, "test", 0):
        found = [{topic_of[word] for word in text.split() if word in topic_of} for text in row.texts]
        assert (found[0] == found[1]) == bool(row.right)


def test_files_follow_the_seed_and_fit_the_registry(tmp_path, repo_root):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        main(["--settings", TEXT, "--seed", str(seed), "--tasks-out", str(tmp_path / name)])
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == sorted(
        f"{task}_{split}.{suffix}" for task, suffix in SUFFIXES.items() for split in ("train", "test")
    )
    for name in files:
        one, same, other = ((tmp_path / folder / name).read_bytes() for folder in "abc")
        assert one == same
        assert one != other
    registry = yaml.safe_load((repo_root / "config" / "datasets.yaml").read_text(encoding="utf-8"))
    names = labelled_tasks(build_world(), SETTINGS)
    for task in SUFFIXES:
        row = registry[f"mini_{task}"]
        assert tuple(row["labels"]) == names[task].labels
        for split, size in (("train", 60), ("test", 20)):
            path = tmp_path / "a" / row["splits"][split]["file"].rpartition("/")[2]
            found = read_raw(
                path, row["reader"], row["schema"], columns=row.get("columns"), labels=row["labels"], task=task
            )
            assert len(found) == size
            expected = labelled_rows(
                build_world(), names[task], ClassificationSettings(60, 20, 0.4, 0.12, 3), split, seed=0
            )
            assert [one["output"] for one in found] == [row["labels"][one.label] for one in expected]
            assert [one["input"].split() for one in found] == [" ".join(one.texts).split() for one in expected]


@pytest.mark.parametrize(
    ("key", "value"), [("train", 0), ("noise_share", 1.0), ("uninformative_share", -0.1), ("sub_topics", 2.5)]
)
def test_wrong_sizes_are_named(key, value):
    given = {"train": 9, "test": 9, "uninformative_share": 0.4, "noise_share": 0.1, "sub_topics": 3, key: value}
    with pytest.raises(UserError, match=f"'{key}' is {value}"):
        ClassificationSettings(**given)
