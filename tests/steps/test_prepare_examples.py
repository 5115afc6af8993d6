"""Step prepare_examples: from a raw file to canonical JSON lines."""

from __future__ import annotations

import json

import pytest

from scripts.common.errors import UserError
from scripts.data import prepare_examples, registry
from scripts.data.schemas import read_examples

SETTINGS = {
    "reader": "alpaca_json",
    "schema": "instruction",
    "columns": {},
    "labels": None,
    "header": None,
    "task": "pool",
    "limit": None,
    "seed": 0,
}


@pytest.fixture
def raw(tmp_path):
    path = tmp_path / "raw.json"
    path.write_text(json.dumps([{"instruction": f"say {n}", "input": "", "output": str(n)} for n in range(50)]))
    return path


def prepare(raw, out, **values):
    settings = json.dumps({**SETTINGS, **values})
    prepare_examples.main(["--raw", str(raw), "--settings", settings, "--examples-out", str(out)])
    return read_examples(out, values.get("schema", "instruction"))


def test_all_rows_in_order(raw, tmp_path):
    rows = prepare(raw, tmp_path / "a.jsonl")
    assert [row["id"] for row in rows] == [str(n) for n in range(50)]
    prepare(raw, tmp_path / "b.jsonl")
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


def test_sample_keeps_ids_and_order_and_depends_on_the_seed(raw, tmp_path):
    first = [int(row["id"]) for row in prepare(raw, tmp_path / "a.jsonl", limit=10)]
    assert len(set(first)) == 10
    assert first == sorted(first)
    assert first == [int(row["id"]) for row in prepare(raw, tmp_path / "b.jsonl", limit=10)]
    assert first != [int(row["id"]) for row in prepare(raw, tmp_path / "c.jsonl", limit=10, seed=1)]
    larger = [int(row["id"]) for row in prepare(raw, tmp_path / "d.jsonl", limit=20)]
    assert set(first) < set(larger), "a larger sample of the same seed holds the smaller one"
    assert len(prepare(raw, tmp_path / "e.jsonl", limit=500)) == 50


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"limit": 0}, "--settings.limit: 0 is below the minimum 1"),
        ({"reader": "alpaca"}, "did you mean 'alpaca_json'"),
        ({"columns": {"output": "answer"}}, "column 'answer' is missing"),
        ({"colums": {}}, "--settings.colums: unknown key (did you mean 'columns'?)"),
    ],
)
def test_faults(raw, tmp_path, values, told):
    with pytest.raises(UserError) as error:
        prepare(raw, tmp_path / "out" / "a.jsonl", **values)
    assert told in str(error.value)
    assert not (tmp_path / "out").exists()


def test_real_pool_through_the_registry(shared, repo_root, tmp_path):
    rows = registry.load_registry("datasets", folder=repo_root / "config")
    raw = registry.raw_path(
        rows, "alpaca_gpt4_bad", "train", source="mirror", mirror=shared / "data", raw_root="", downloads_root=""
    )
    settings = registry.prepare_settings(rows, "alpaca_gpt4_bad", "train", limit=200)
    examples = prepare(raw, tmp_path / "a.jsonl", **settings)
    assert len(examples) == 200
    assert all(int(row["id"]) < 9038 for row in examples)


def test_parts_are_one_file_with_ids_of_its_own(tmp_path):
    for number in range(2):
        (tmp_path / f"{number}.csv").write_text(f"instruction,output\na{number},b\nc{number},d\n")
    settings = {"reader": "any", "schema": "instruction", "columns": {}, "labels": None, "header": None, "task": None}
    raw = ["--raw", str(tmp_path / "0.csv"), str(tmp_path / "1.csv")]
    settings = ["--settings", json.dumps({**settings, "limit": None, "seed": 0})]
    prepare_examples.main([*raw, *settings, "--examples-out", str(tmp_path / "out.jsonl")])
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(row["id"], row["instruction"]) for row in rows] == [("0", "a0"), ("1", "c0"), ("2", "a1"), ("3", "c1")]
