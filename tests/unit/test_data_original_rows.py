"""Chosen rows go back into the form in which they came: tables with their delimiter and quoting, parts, parquet."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from scripts.common.errors import UserError
from scripts.data import original_rows, prepare_examples

AS_IT_IS = {"reader": "any", "schema": "instruction", "columns": {}, "labels": None, "header": None, "task": None}


def settings(**changes: Any) -> str:
    return json.dumps({**AS_IT_IS, "limit": None, "seed": 0, **changes})


def written_back(tmp_path: Path, parts: dict[str, Any], numbers: list[int], **changes: Any) -> Path:
    """Return the file that holds rows of raw parts, read, chosen by number and written back."""
    raw = []
    for name, content in parts.items():
        raw.append(str(tmp_path / name))
        if isinstance(content, str):
            (tmp_path / name).write_text(content)
        else:
            parquet.write_table(content, tmp_path / name)
    prepared = ["--raw", *raw, "--settings", settings(**changes)]
    prepare_examples.main([*prepared, "--examples-out", str(tmp_path / "all.jsonl")])
    lines = (tmp_path / "all.jsonl").read_text().splitlines()
    (tmp_path / "chosen" / "half").mkdir(parents=True, exist_ok=True)
    (tmp_path / "chosen" / "half" / "seed_0.jsonl").write_text("".join(lines[n] + "\n" for n in numbers))
    original_rows.main([*prepared, "--chosen", str(tmp_path / "chosen"), "--rows-out", str(tmp_path / "out")])
    return next(iter((tmp_path / "out").rglob("seed_0.*")), tmp_path / "nothing")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("raw.csv", 'more;instruction;output\n0;a;"x;y"\n1;b;"say ""no"""\n2;c;z\n'),
        ("raw.tsv", 'instruction\toutput\tmore\na\t"x" y\t0\nb\tsay "no"\t1\nc\tz\t2\n'),
        ("raw.tsv", 'instruction\toutput\tmore\na\t"x\ty"\t0\nb\t"say ""no"""\t1\nc\tz\t2\n'),
        ("raw.txt", "instruction|output\na|x\nb|y\nc|z\n"),
    ],
    ids=["semicolons", "quotes_are_letters", "quoted", "bars_under_another_name"],
)
def test_tables_keep_delimiter_and_quoting(tmp_path: Path, name: str, content: str) -> None:
    out = written_back(tmp_path, {name: content}, [2, 0, 1])
    head, *rows = content.splitlines(keepends=True)
    assert out.read_text() == "".join([head, rows[2], rows[0], rows[1]])
    assert out.relative_to(tmp_path) == Path("out/half") / {"raw.txt": "seed_0.csv"}.get(
        name, f"seed_0{Path(name).suffix}"
    )


def test_a_table_without_header_line_is_written_without(tmp_path: Path) -> None:
    out = written_back(
        tmp_path, {"raw.csv": "a#x\nb#y\n"}, [1], reader="csv", header=["instruction", "output"], delimiter="#"
    )
    assert out.read_text() == "b#y\n"


def test_parts_are_written_as_one_file(tmp_path: Path) -> None:
    first = pyarrow.table({"instruction": ["a", "b"], "output": ["x", "y"], "n": pyarrow.array([1, 2], "int32")})
    second = pyarrow.table({"instruction": ["c"], "output": ["z"], "n": pyarrow.array([2**40], "int64"), "w": [0.5]})
    out = written_back(tmp_path, {"a.parquet": first, "b.parquet": second}, [2, 0])
    assert parquet.read_table(out).to_pylist() == [
        {"instruction": "c", "output": "z", "n": 2**40, "w": 0.5},
        {"instruction": "a", "output": "x", "n": 1, "w": None},
    ]
    shutil.rmtree(tmp_path / "out")
    out = written_back(tmp_path, {"a.parquet": first, "b.parquet": second}, [1])
    assert parquet.read_schema(out) == first.schema  # only the parts that rows are chosen from count
    texts = {"a.csv": "instruction,output\na,x\n", "b.json": '[{"output": "y", "instruction": "b", "more": [1]}]'}
    out = written_back(tmp_path, texts, [1, 0])
    assert out.read_text() == "output,instruction,more\ny,b,[1]\nx,a,\n"


def test_what_no_form_holds_is_left_out_of_a_folder_and_refused_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = pyarrow.table({"instruction": ["a"], "output": ["x"], "n": [1]})
    second = pyarrow.table({"instruction": ["b"], "output": ["y"], "n": ["one"]})
    parts = {"a.parquet": first, "b.parquet": second}
    assert not written_back(tmp_path, parts, [0, 1]).exists()
    assert "seed_0.jsonl: is not written in the form of" in caplog.text
    assert (tmp_path / "out").is_dir()
    asked = ["--raw", *(str(tmp_path / name) for name in parts), "--settings", settings()]
    chosen = ["--chosen", str(tmp_path / "chosen" / "half" / "seed_0.jsonl"), "--rows-out", str(tmp_path / "o")]
    with pytest.raises(UserError, match="the parts' columns have types that do not go together .*; choose from one"):
        original_rows.main([*asked, *chosen])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="--chosen: .*empty holds no .jsonl file"):
        original_rows.main([*asked, "--chosen", str(tmp_path / "empty"), "--rows-out", str(tmp_path / "o")])
