"""Synthetic pools of DELIFT's three stages: shares, families, duplicates; no test question is asked in a pool."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import json

import pytest
import yaml

from scripts.common.errors import UserError
from scripts.data import generate_pools
from scripts.data.readers import read_raw
from scripts.data.synthetic_instructions import FAMILIES
from scripts.data.synthetic_pools import STAGES, Pools, PoolSettings
from scripts.data.synthetic_words import build_world

PARTS = {1: ("train",), 2: ("train", "query"), 3: ("train", "existing")}
"""Parts of each stage beside validation and test."""
SETTINGS = PoolSettings(
    families=("copy", "reverse", "first", "last", "count", "opposite"),
    pool_size=60,
    crowded_families=2,
    crowded_share=0.7,
    prototypes=3,
    careless_share=0.4,
    query_families=2,
    query_size=8,
    existing_families=3,
    existing_size=12,
    validation_size=12,
    test_size=18,
)


def pools(stage: int, seed: int = 0, **changes: object) -> Pools:
    return Pools(build_world(), dataclasses.replace(SETTINGS, **changes), stage, seed)


def families(made: Pools, part: str) -> collections.Counter:
    return collections.Counter(row["family"] for row in made.truth(part))


@pytest.mark.parametrize("stage", STAGES)
def test_no_question_is_asked_in_two_parts_and_each_family_has_one_word(stage):
    made = pools(stage)
    assert set(made.parts) == {*PARTS[stage], "validation", "test"}
    asked = {part: {row.example.key for row in rows} for part, rows in made.parts.items()}
    for one, other in itertools.combinations(asked, 2):
        assert not asked[one] & asked[other]
    wordings = {(row.example.family, row.example.instruction) for rows in made.parts.values() for row in rows}
    assert len(wordings) == len(dict(wordings)) == len(set(dict(wordings).values()))


def test_stage_1_is_right_but_crowded():
    made = pools(1)
    truth = made.truth("train")
    assert all(row["good"] for row in truth)
    counts = families(made, "train")
    crowded = made.families[:2]
    assert sum(counts[family] for family in crowded) == 42
    questions = {row.example.key for row in made.parts["train"] if row.example.family in crowded}
    assert len(questions) == 6
    repeated = [row for row in truth if row["duplicate_of"]]
    assert len(repeated) == 42 - 6
    for row in repeated:
        source = int(row["duplicate_of"])
        assert source < int(row["id"])
        assert made.parts["train"][source].example == made.parts["train"][int(row["id"])].example
    assert len(families(made, "test")) == 6


def test_stage_2_has_careless_rows_and_a_clean_query_set():
    made = pools(2)
    truth = made.truth("train")
    assert sum(not row["good"] for row in truth) == 24
    assert all(bool(row["fault"]) != row["good"] for row in truth)
    assert len(families(made, "train")) == 6
    asked = set(made.families[:2])
    for part in ("query", "validation", "test"):
        assert set(families(made, part)) == asked
        assert all(row["good"] for row in made.truth(part))


def test_stage_3_knows_some_families():
    made = pools(3)
    assert set(families(made, "existing")) == set(made.families[:3])
    assert families(made, "train") == dict.fromkeys(made.families, 10)
    assert families(made, "test") == dict.fromkeys(made.families, 3)


def test_seeds_and_repetition():
    assert pools(2).rows("train") == pools(2).rows("train")
    assert pools(2).rows("train") != pools(2, seed=1).rows("train")


def test_the_step_writes_files_that_the_readers_read(tmp_path):
    settings = json.dumps(dataclasses.asdict(SETTINGS))
    for name in ("a", "b"):
        generate_pools.main(["--settings", settings, "--seed", "3", "--pools-out", str(tmp_path / name)])
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.json*"))
    assert len(files) == 2 * sum(len(PARTS[stage]) + 2 for stage in STAGES)
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    rows = read_raw(tmp_path / "a/stage_2/train.json", "alpaca_json", "instruction")
    truth = read_raw(tmp_path / "a/stage_2/train_truth.jsonl", "json", "pool_truth")
    assert [row["id"] for row in rows] == [row["id"] for row in truth]
    assert any(row["output"] == "" for row in rows)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"families": ("copy", "revers")}, "did you mean 'reverse'"),
        ({"families": ("copy", "copy")}, "different ones"),
        ({"pool_size": 0}, "'pool_size' is 0"),
        ({"careless_share": 1.5}, "a share in 0..1"),
        ({"query_families": 6}, "leaves no other family"),
        ({"test_size": 2.5}, "give a number"),
    ],
)
def test_bad_settings(changes, message):
    with pytest.raises(UserError, match=message):
        dataclasses.replace(SETTINGS, **changes)


def test_a_family_without_enough_questions():
    small = build_world(n_topics=4, words_per_topic=4, n_held_out=1)  # 3 topics of 24 orders to be named
    settings = dataclasses.replace(
        SETTINGS, families=("topic", "copy"), crowded_families=1, query_families=1, existing_families=1, test_size=200
    )
    with pytest.raises(UserError, match="'topic' has no new question left"):
        Pools(small, settings, 1, 0)


def test_the_shipped_settings(repo_root):
    config = yaml.safe_load((repo_root / "config/config.yaml").read_text(encoding="utf-8"))
    assert PoolSettings(**config["synthetic_pools"]).pool_size >= 100
    assert set(config["synthetic_pools"]["families"]) <= set(FAMILIES)
