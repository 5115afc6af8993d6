"""One's own rows: what is read is said, what has no answer is left out, what is chosen comes back in its form."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.common.errors import UserError
from scripts.own.exports import export_rows
from scripts.own.flags import size_kept
from scripts.own.rows import hold_out, parse_columns, read_own, write_chosen
from tests.unit.own_rows import rows, write_pool, write_questions, write_sharegpt
from tests.workspace import REPO_ROOT, environment


def test_what_is_read_is_said_in_one_line(tmp_path: Path) -> None:
    pool = read_own(write_pool(tmp_path), "POOL", {})
    assert pool.said == f"read 20 rows of {tmp_path}/pool.json as Alpaca"
    talks = read_own(write_sharegpt(tmp_path), "POOL", {})
    assert talks.said == f"read 21 rows of {tmp_path}/talks.jsonl as ShareGPT, 1 without an answer left out"
    table = read_own(write_questions(tmp_path), "POOL", {})
    assert table.said.endswith("questions.csv as columns question and answer, 1 without an answer left out")
    assert table.rows[3]["instruction"] == "copy the words 3: four ten two"
    assert [row["id"] for row in table.rows] == [str(number) for number in range(20)]


def test_columns_are_named_or_found(tmp_path: Path) -> None:
    path = write_questions(tmp_path)
    named = read_own(path, "POOL", parse_columns("nr,answer"))
    assert named.rows[3]["instruction"] == "3"
    assert parse_columns("instruction=a,output=b") == {"instruction": "a", "output": "b"}
    assert parse_columns("a,b,c") == {"instruction": "a", "input": "b", "output": "c"}


def test_own_ids_may_repeat(tmp_path: Path) -> None:
    """A row is known by its place: what the file calls it is handed on and nothing more."""
    pool = read_own(write_pool(tmp_path, id="same"), "POOL", {})
    assert len({row["id"] for row in pool.rows}) == 20
    assert pool.records[0].values["id"] == "same"


def test_rows_come_back_in_the_form_they_came_in_and_in_the_order_given(tmp_path: Path) -> None:
    talks = read_own(write_sharegpt(tmp_path), "POOL", {})
    lines = (tmp_path / "talks.jsonl").read_text(encoding="utf-8").splitlines()
    written = write_chosen(tmp_path, "best", talks, [7, 2])
    assert written.name == "best.jsonl"
    found = [json.loads(line) for line in written.read_text(encoding="utf-8").splitlines()]
    assert found == [json.loads(lines[7]), json.loads(lines[2])]
    table = read_own(write_questions(tmp_path), "POOL", {})
    written = write_chosen(tmp_path, "best", table, [5])
    assert written.read_text(encoding="utf-8").splitlines()[1].startswith("5;")


@pytest.mark.parametrize("text,n", [("10%", 2), ("1%", 1), ("12.5 %", 2), ("100%", 20), ("7", 7)])
def test_sizes(text: str, n: int) -> None:
    assert size_kept(text, 20) == n


@pytest.mark.parametrize("text", ["0", "21", "0%", "101%", "a tenth", "0.1", "-3"])
def test_sizes_that_cannot_be_kept_name_the_flag(text: str) -> None:
    with pytest.raises(UserError, match="--keep"):
        size_kept(text, 20)


def test_held_out_rows_share_no_question_with_those_that_stay(tmp_path: Path) -> None:
    doubled = rows(20) + rows(20)
    (tmp_path / "pool.json").write_text(json.dumps(doubled), encoding="utf-8")
    pool = read_own(tmp_path / "pool.json", "POOL", {})
    stay, out = hold_out(pool, 0.2, 500, seed=0)
    assert len(stay) + len(out) == 40
    assert len(out) == 8
    assert not {row["instruction"] for row in out.rows} & {row["instruction"] for row in stay.rows}
    assert [row["id"] for row in hold_out(pool, 0.2, 500, seed=0)[1].rows] == [row["id"] for row in out.rows]


def test_nothing_can_be_held_out_of_one_question(tmp_path: Path) -> None:
    (tmp_path / "pool.json").write_text(json.dumps(rows(1) * 4), encoding="utf-8")
    with pytest.raises(UserError, match="--test"):
        hold_out(read_own(tmp_path / "pool.json", "POOL", {}), 0.2, 500, seed=0)


LOAD = """
import json, sys, datasets
rows = datasets.load_dataset("json", data_files={"train": sys.argv[1]}, split="train", cache_dir=sys.argv[2])
print(json.dumps([rows[number] for number in range(len(rows))]))
"""


def loaded(file: Path) -> list[dict[str, Any]]:
    """Load what was written with `datasets`, as the trainers do: this Python's, or that of the preprocessing."""
    given = os.environ.get("THRIFT_DATASETS_PYTHON") or REPO_ROOT / ".venvs/preprocess/bin/python"
    python = sys.executable if importlib.util.find_spec("datasets") else str(given)
    if not Path(python).exists():
        pytest.skip("no Python with `datasets` here; name one in THRIFT_DATASETS_PYTHON")
    done = subprocess.run(
        [python, "-c", LOAD, str(file), str(file.parent / "cache")],
        env={**environment(), "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(file.parent / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_llama_factory_loads_rows_and_their_entry(tmp_path: Path) -> None:
    pool = read_own(write_pool(tmp_path), "POOL", {})
    info = export_rows("llama-factory", tmp_path / "out", "nuggets", pool.part([4, 1]))
    export_rows("llama-factory", tmp_path / "out", "random", pool.part([3]))
    entries = json.loads(info.read_text(encoding="utf-8"))
    assert set(entries) == {"nuggets", "random"}
    entry = entries["nuggets"]
    rows_there = loaded(info.parent / entry["file_name"])
    assert rows_there[0][entry["columns"]["prompt"]] == pool.rows[4]["instruction"]
    assert rows_there[1][entry["columns"]["response"]] == pool.rows[1]["output"]


def test_llama_factory_gets_conversations_whole(tmp_path: Path) -> None:
    talks = read_own(write_sharegpt(tmp_path), "POOL", {})
    info = export_rows("llama-factory", tmp_path / "out", "best", talks.part([6]))
    entry = json.loads(info.read_text(encoding="utf-8"))["best"]
    assert entry["formatting"] == "sharegpt"
    (row,) = loaded(info.parent / entry["file_name"])
    assert [turn["from"] for turn in row["conversations"]] == ["human", "gpt", "human", "gpt"]


@pytest.mark.parametrize("kind", ["trl", "axolotl"])
def test_trl_and_axolotl_get_messages(tmp_path: Path, kind: str) -> None:
    pool = read_own(write_pool(tmp_path), "POOL", {})
    export_rows(kind, tmp_path / "out", "best", pool.part([4, 1]))
    found = loaded(tmp_path / "out" / "best.jsonl")
    first = pool.rows[4]
    asked = f"{first['instruction']}\n\n{first['input']}"
    assert found[0]["messages"] == [
        {"role": "user", "content": asked},
        {"role": "assistant", "content": first["output"]},
    ]


def test_parquet_and_packed_files_are_read_and_written(tmp_path: Path) -> None:
    import gzip

    import pyarrow
    from pyarrow import parquet

    table = pyarrow.Table.from_pylist([{**row, "score": number / 2} for number, row in enumerate(rows(20))])
    parquet.write_table(table, tmp_path / "pool.parquet")
    pool = read_own(tmp_path / "pool.parquet", "POOL", {})
    written = parquet.read_table(write_chosen(tmp_path, "best", pool, [9, 4]))
    assert written.schema == table.schema
    assert written["score"].to_pylist() == [4.5, 2.0]
    packed = tmp_path / "pool.json.gz"
    packed.write_bytes(gzip.compress(write_pool(tmp_path).read_bytes()))
    pool = read_own(packed, "POOL", {})
    assert pool.said.endswith("pool.json.gz as Alpaca")
    chosen = write_chosen(tmp_path, "top", pool, [3])
    assert (chosen.name, len(json.loads(chosen.read_text(encoding="utf-8")))) == ("top.json", 1)
