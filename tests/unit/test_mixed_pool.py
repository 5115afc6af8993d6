"""A pool mixed of several sources: shares, truth, nothing asked twice, what is read for it, faults of its settings."""

from __future__ import annotations

import collections
import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake.utils import update_config

from scripts.common.errors import UserError
from scripts.common.files import read_jsonl, write_jsonl
from scripts.common.step_parser import checked, shipped_config
from scripts.data import mix_sources
from scripts.data.mixed_sources import PARTS, sources_of, with_sources
from scripts.data.mixing import mix, truth
from scripts.data.readers import read_raw
from scripts.data.registry import load_registry
from scripts.data.settings_mixed import MixSettings
from scripts.delift.pairs import part_faults
from scripts.head_to_head.plan import Plan
from tests.workspace import REPO_ROOT

SETTINGS = {
    "parts": [
        {"source": "sums", "dataset": "gsm8k_instruction", "splits": ["train", "test"], "rows": 6},
        {"source": "words", "dataset": "seed_tasks", "splits": ["train"], "rows": 10},
    ],
    "goal": "sums",
    "most_letters": 40,
    "query_size": 3,
    "validation_size": 4,
    "test_size": 5,
    "seed": 0,
}


def settings(**changes: Any) -> MixSettings:
    return checked(MixSettings, {**SETTINGS, **changes})


def rows(name: str, n: int, **changes: str) -> list[dict[str, str]]:
    return [{"id": str(i), "instruction": f"{name} {i}", "input": "", "output": str(i), **changes} for i in range(n)]


SOURCES = {"sums": rows("add", 20), "words": rows("say", 12)}


def test_every_source_has_its_share_and_the_goal_is_of_one_source() -> None:
    mixed = mix(SOURCES, settings())
    assert {part: len(found) for part, found in mixed.items()} == dict(zip(PARTS, (16, 3, 4, 5)))
    assert collections.Counter(row["source"] for row in mixed["train"]) == {"sums": 6, "words": 10}
    assert all(row["source"] == "sums" for part in PARTS[1:] for row in mixed[part])
    order = [row["source"] for row in mixed["train"]]
    assert order not in (sorted(order), sorted(order, reverse=True))


def test_no_question_stands_twice() -> None:
    twice = {"sums": [*SOURCES["sums"], *rows("add", 20, output="other")], "words": SOURCES["words"]}
    mixed = mix({**twice, "sums": [{**row, "id": str(i)} for i, row in enumerate(twice["sums"])]}, settings())
    asked = [row["instruction"] for part in PARTS for row in mixed[part]]
    assert len(set(asked)) == len(asked) == 28
    assert len({row["id"] for part in PARTS for row in mixed[part]}) == 28


def test_equal_seeds_draw_the_same_and_others_do_not() -> None:
    assert mix(SOURCES, settings()) == mix(SOURCES, settings())
    assert mix(SOURCES, settings(seed=1)) != mix(SOURCES, settings())


def test_long_rows_are_left_out_and_too_few_are_refused() -> None:
    long = {**SOURCES, "words": [*rows("say", 10, output="w" * 100), *rows("tell", 10)]}
    long["words"] = [{**row, "id": str(i)} for i, row in enumerate(long["words"])]
    assert all("tell" in row["instruction"] for row in mix(long, settings())["train"] if row["source"] == "words")
    message = "source 'words' has 9 different rows of at most 40 letters, 10 are asked for"
    with pytest.raises(UserError, match=message):
        mix({**SOURCES, "words": rows("say", 9)}, settings())
    assert len(mix(long, settings(most_letters=None))["train"]) == 16


def test_the_truth_is_the_source() -> None:
    pool = mix(SOURCES, settings())["train"]
    known = truth(pool, "sums")
    assert [(row["id"], row["family"]) for row in known] == [(row["id"], row["source"]) for row in pool]
    assert all(row["good"] == (row["family"] == "sums") == (not row["fault"]) for row in known)


def test_the_step_writes_raw_files_that_the_readers_take(tmp_path: Path) -> None:
    files = {"train": rows("add", 10), "test": rows("take", 10), "words": rows("say", 12)}
    for name, own in files.items():
        write_jsonl(tmp_path / f"{name}.jsonl", own)
    paths = [str(tmp_path / f"{name}.jsonl") for name in files]
    flags = ["--settings", json.dumps(SETTINGS), "--pools-out", str(tmp_path / "mixed")]
    mix_sources.main(["--rows", *paths, *flags])
    for part, size in zip(PARTS, (16, 3, 4, 5)):
        read = read_raw(tmp_path / "mixed" / f"{part}.json", "alpaca_json", "instruction")
        known = read_raw(tmp_path / "mixed" / f"{part}_truth.jsonl", "json", "pool_truth")
        assert [row["id"] for row in read] == [row["id"] for row in known]
        assert len(read) == size
    drawn = {row["id"].rsplit(" ", 1)[0] for row in read_jsonl(tmp_path / "mixed" / "train_truth.jsonl")}
    assert drawn == {"sums train", "sums test", "words train"}
    with pytest.raises(UserError, match="--rows: 2 files for 3 splits"):
        mix_sources.main(["--rows", *paths[:2], *flags])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"goal": "verses"}, "goal: 'verses' is none of the sources sums, words"),
        ({"parts": [*SETTINGS["parts"], SETTINGS["parts"][0]]}, "source 'sums' stands there twice"),
    ],
)
def test_faults_of_the_settings(changes: dict[str, Any], message: str) -> None:
    with pytest.raises((UserError, ValueError), match=message):
        settings(**changes)


def laptop(**data: Any) -> dict[str, Any]:
    """Return the merged config of the laptop tier."""
    config = shipped_config()
    update_config(config, yaml.safe_load((REPO_ROOT / "config/tiers/laptop.yaml").read_text(encoding="utf-8")))
    return {**config, "data": {**config["data"], **data}}


@pytest.fixture
def _in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPO_ROOT)  # DELIFT's registries are named from there


@pytest.mark.usefixtures("_in_the_checkout")
def test_the_sources_are_what_is_fetched_and_what_can_be_missing() -> None:
    datasets = load_registry("datasets", folder=REPO_ROOT / "config")
    config = laptop(left_out=[])
    sources = set(sources_of(config["mixed_pool"]))
    assert all(split in datasets[name]["splits"] for name, split in sources)
    plan = Plan.of(config)
    assert plan.selection_left_out() == ""
    assert sources | {("mixed_pool", "train"), ("mixed_pool_truth", "train")} <= set(plan.raw_files(datasets))
    assert with_sources({("gsm8k", "train")}, config["mixed_pool"]) == {("gsm8k", "train")}
    gone = Plan.of(laptop(left_out=["dolly_t45"]))
    assert "dolly_t45 is named in data.left_out" in gone.selection_left_out()


@pytest.mark.usefixtures("_in_the_checkout")
def test_the_tiers_sizes_are_those_of_its_pair_and_the_table_names_the_truth() -> None:
    config = laptop()
    mixed, rows_of = config["mixed_pool"], config["delift"]["pairs"]["mixed"]["rows"]
    assert rows_of == {"pool": sum(part["rows"] for part in mixed["parts"]), "reference": mixed["query_size"]}
    assert Plan.of(config).settings("table_selection")["selection"]["good"] == "of the goal"
    other = copy.deepcopy(config)
    other["head_to_head"]["selection"]["pair"] = "mini_stage_2"
    assert Plan.of(other).settings("table_selection")["selection"]["good"] == "right"


def test_real_sources_need_real_data() -> None:
    datasets = load_registry("datasets", folder=REPO_ROOT / "config")
    pair = shipped_config()["delift"]["pairs"]["mixed"]
    assert part_faults("mixed", pair, datasets, [], synthetic=False) == []
    lines = part_faults("mixed", pair, datasets, [], synthetic=True)
    assert len(lines) == 5
    assert lines[0].startswith(
        "delift.pairs.mixed.pool.dataset: 'mixed_pool' is made of public datasets, but data.source is synthetic; set"
    )
