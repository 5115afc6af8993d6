"""Each form in docs/data.md is read as the page says: the example, by each reader, and its turns."""

from __future__ import annotations

import re

import pytest

from scripts.data.readers import read_raw
from tests.workspace import REPO_ROOT

PAGE = (REPO_ROOT / "docs" / "data.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|\n").split(" | ")]
    for line in PAGE.partition("## Forms")[2].partition("\nConversations")[0].splitlines()
    if line.startswith("| ") and not line.startswith(("| ---", "| form"))
]
ENDINGS = {"json": "json", "csv": "csv", "tsv": "tsv", "parquet": "parquet"}
HI = {"instruction": "Hi?", "input": "", "output": "Yes."}


def written(path, example: str) -> None:
    if example == "PAR1...":
        import pyarrow
        from pyarrow import parquet

        said = [{"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Yes."}]
        parquet.write_table(pyarrow.Table.from_pylist([{"messages": said}]), path)
    else:
        path.write_bytes(example.replace("\\n", "\n").replace("\\t", "\t").encode())


def told(turns: str, way: str) -> tuple[str, str]:
    found = re.search(rf"`{way}`: (.*?) → (.*?)(?:;|$)", turns)
    assert found
    return found[1].replace(" // ", "\n\n").replace(" / ", "\n"), found[2]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_each_form_is_read(tmp_path, row):
    form, example, readers, turns = row
    names = re.findall(r"`(\w+)`", readers)
    assert names[-1] == "any"
    for name in names:
        # `any` sees the ending of a table, which looks like any text, and nothing of the other forms
        ending = f".{ENDINGS[names[0]]}" if name != "any" or names[0] in ("csv", "tsv") else ""
        path = tmp_path / f"{name}{ending}"
        written(path, example.strip("`"))
        for way in ("first", "last"):
            rows = read_raw(path, name, "instruction", turns=way)
            rows = [{field: row[field] for field in HI} for row in rows]
            if turns == "has none" or example.startswith("`PAR1"):
                assert rows == [HI] * (2 if form in ("objects one after the other", "rows by their names") else 1)
            else:
                instruction, output = told(turns, way)
                assert rows == [{"instruction": instruction, "input": "", "output": output}]


def test_the_table_has_all_forms():
    assert len(ROWS) == 17
