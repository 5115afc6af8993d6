"""Data as people have them: the inputs of `shared/cases`, each by the command that its README names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_json, read_jsonl
from scripts.data import prepare_examples
from scripts.ddg import convert_sets, evaluate_in_context, select_coresets
from scripts.step_by_step.own_data import OwnData
from tests.workspace import REPO_ROOT


@pytest.fixture
def cases(shared: Path) -> Path:
    """The folder of cases."""
    folder = shared / "cases"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    return folder


def prepared(tmp_path: Path, raw: Path, reader: str, schema: str, **changes: Any) -> list[dict[str, Any]]:
    usual = {"reader": reader, "schema": schema, "columns": {}, "labels": None, "header": None, "task": "t"}
    settings = json.dumps({**usual, "limit": None, "seed": 0, **changes})
    prepare_examples.main(["--raw", str(raw), "--settings", settings, "--examples-out", str(tmp_path / "out.jsonl")])
    return read_jsonl(tmp_path / "out.jsonl")


TEXT = {"input": "text", "output": "label"}


@pytest.mark.parametrize(
    ("name", "reader", "labels", "outputs"),
    [
        ("polarity.jsonl", "json", ["1", "0"], ["0", "1"] * 3),
        ("polarity.csv", "csv", ["1", "0"], ["0", "1"] * 3),
        ("stars.jsonl", "json", ["1", "2", "3"], ["1", "2", "3"] * 2),
        ("stars_without_top.jsonl", "json", ["1", "2", "3"], ["1", "2"] * 3),
    ],
)
def test_number_labels(cases, tmp_path, name, reader, labels, outputs):
    rows = prepared(tmp_path, cases / "number-labels" / name, reader, "classification", columns=TEXT, labels=labels)
    assert [row["output"] for row in rows] == outputs


def test_quoted_tsv(cases, tmp_path):
    raw = cases / "quoted-tsv" / "quoted.tsv"
    rows = prepared(tmp_path, raw, "tsv", "classification", columns=TEXT)
    assert [row["input"] for row in rows] == ['He said "go" now', "plain text"]
    rows = prepared(tmp_path, raw, "tsv", "classification", columns=TEXT, quoting="no")
    assert rows[0]["input"] == '"He said ""go"" now"'


def test_chat_format(cases, tmp_path):
    raw = cases / "chat-format"
    expected = [("Name a colour, number 0.", "blue 0"), ("Name a colour, number 1.", "blue 1"),
                ("Name a colour, number 2.", "blue 2")]  # fmt: skip
    paths = {"instruction": "conversations.0.value", "output": "conversations.1.value"}
    for file, columns in (("messages.jsonl", {}), ("sharegpt.json", paths), ("sharegpt.json", {})):
        rows = prepared(tmp_path, raw / file, "json", "instruction", columns=columns, task=None)
        assert [(row["instruction"], row["output"]) for row in rows] == expected


@pytest.mark.parametrize("name", ["dev", "val", "validation"])
def test_validation_file_names(cases, name):
    own = OwnData(cases / "validation-file-names" / name, "generic", "generic", "compatible")
    assert [len(part) for part in own.splits(fraction=1.0, run=0, with_rationales=True)] == [30, 8, 6]


def test_hub_shards(cases, tmp_path):
    own = OwnData(cases / "hub-shards", "generic", "generic", "compatible")
    splits = own.splits(fraction=1.0, run=0, with_rationales=True)
    (tmp_path / "data").mkdir()
    for path in (cases / "hub-shards").glob("*.parquet"):
        (tmp_path / "data" / path.name).write_bytes(path.read_bytes())
    below = OwnData(tmp_path, "generic", "generic", "compatible")
    assert below.splits(fraction=1.0, run=0, with_rationales=True) == splits
    assert len(splits.train) > 0


def test_labels_of_test_differ(cases, tmp_path):
    raw, how = cases / "labels-of-test-differ", {"columns": TEXT}
    for split in ("train", "test"):
        prepared(tmp_path, raw / f"my_{split}.csv", "csv", "classification", **how)
        (tmp_path / "out.jsonl").rename(tmp_path / f"{split}.jsonl")
    coresets = {"text_columns": ["text"], "method": "random", "dpcs": [2], "draws": 1,
                "draw_seeds": "released", "herding_order": "rows",
                "reading": {"pooling": "mean", "max_tokens": 16, "batch_size": 16}}  # fmt: skip
    select_coresets.main(
        [
            *("--examples", str(tmp_path / "train.jsonl"), "--encoder", "none", "--device", "cpu", "--threads", "1"),
            *("--settings", json.dumps(coresets), "--seeds", "0", "--sets-out", str(tmp_path / "random")),
        ]
    )
    assert read_json(tmp_path / "random" / "labels.json") == ["delivery", "refund"]
    convert = [
        *("--sets", str(tmp_path / "random"), "--text-columns", "text", "--label-text", "no", "--label-lists", "no"),
        *("--converted-out", str(tmp_path / "made")),
    ]
    convert_sets.main(convert)
    with pytest.raises(UserError, match=r"its labels \(delivery, refund\) are not those of --labels \(None\)"):
        convert_sets.main([*convert, "--labels", "None"])
    settings = {"text_columns": ["text"], "dpc": 2, "draws": 1, "turns": 25, "orders": {"longicl": "rounds"},
                "scorers": {"longicl": ["labels"]}, "only": {}, "instruct": False, "label_norm": "sum",
                "retrieval_rounds": [], "batch_tokens": 4096}  # fmt: skip
    command = [
        *("--sets", f"random={tmp_path / 'random'}", "--test", str(tmp_path / "test.jsonl")),
        *("--prompts", f"longicl={REPO_ROOT / 'config/prompts/ddg/single.yaml'}", "--model", "none", "--dtype", "auto"),
        *("--device", "auto", "--threads", "1", "--seeds", "0", "--round", "1", "2", "--test-number", "full"),
        *("--runs-out", str(tmp_path / "a.csv"), "--answers-out", str(tmp_path / "a.jsonl")),
        *("--settings", json.dumps(settings)),
    ]
    told = r"its labels \(delivery, refund\) are not those of .*test.jsonl \(complaint, delivery, refund\); list them"
    with pytest.raises(UserError, match=told):
        evaluate_in_context.main(command)
