"""Every form of a file of rows gives the same records; faulty rows are all counted; odd values are one line."""

from __future__ import annotations

import json

import pytest

from scripts.common.errors import UserError
from scripts.data.layout import Layout
from scripts.data.readers import read_raw
from scripts.data.rows import read_rows
from scripts.data.split_files import find_split_files, named_files, names_of
from scripts.data.tables import looks_quoted

ROWS = [{"text": 'He said "go", now', "label": "pos"}, {"text": "plain; text", "label": "neg"}]


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def values(path, *args, **options):
    return [record.values for record in read_rows(path, *args, **options)]


def message(path, *args, **options) -> str:
    with pytest.raises(UserError) as error:
        read_rows(path, *args, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


by_columns = {name: {str(i): row[name] for i, row in enumerate(ROWS)} for name in ROWS[0]}
split_form = {"columns": ["text", "label"], "index": [0, 1], "data": [[row["text"], row["label"]] for row in ROWS]}
JSON_FORMS = {
    "list": json.dumps(ROWS),
    "lines": "".join(json.dumps(row) + "\n" for row in ROWS),
    "lines of Windows with a mark": "\ufeff" + "".join(json.dumps(row) + "\r\n" for row in ROWS),
    "indented list": json.dumps(ROWS, indent=2),
    "indented objects": "\n".join(json.dumps(row, indent=2) for row in ROWS),
    "objects on one line": "".join(json.dumps(row) for row in ROWS),
    "objects with commas": ",\n".join(json.dumps(row) for row in ROWS),
    "under data": json.dumps({"version": "1.1", "data": ROWS}),
    "under the only key": json.dumps({"reviews": ROWS}, indent=1),
    "the hub's row service": json.dumps(
        {"features": [{"name": "text"}], "rows": [{"row_idx": i, "row": row} for i, row in enumerate(ROWS)]}
    ),
    "pandas by columns": json.dumps(by_columns),
    "pandas split": json.dumps(split_form),
}  # fmt: skip


@pytest.mark.parametrize("form", JSON_FORMS)
def test_json_forms_are_one(tmp_path, form):
    assert values(write(tmp_path / "x.json", JSON_FORMS[form])) == ROWS
    assert values(write(tmp_path / "x", JSON_FORMS[form])) == ROWS


def test_rows_by_their_names_keep_them(tmp_path):
    path = write(tmp_path / "x.json", json.dumps({"q1": ROWS[0], "q2": ROWS[1]}))
    assert values(path) == [{"id": "q1", **ROWS[0]}, {"id": "q2", **ROWS[1]}]


@pytest.mark.parametrize(
    "row",
    [
        {"text": "a"},
        {"id": "s", "instances": [{"input": "a", "output": "b"}]},
        {"messages": [{"role": "user", "content": "a"}]},
        {"question_id": 1, "choices": [{"turns": ["a"]}]},
        {"data": []},
    ],
)
def test_one_object_is_one_row(tmp_path, row):
    assert values(write(tmp_path / "x.json", json.dumps(row, indent=2))) == [row]


def test_several_lists_in_one_file_are_several_splits(tmp_path):
    told = message(write(tmp_path / "x.json", json.dumps({"train": ROWS, "test": ROWS})))
    assert told.endswith("x.json:1: holds several lists of rows (train, test); put each in a file of its own")


CSV = 'text,label\n"He said ""go"", now",pos\nplain; text,neg\n'
TABLES = {
    "x.csv": CSV,
    "semicolons.csv": 'text;label\n"He said ""go"", now";pos\n"plain; text";neg\n',
    "tabs.csv": 'text\tlabel\n"He said ""go"", now"\tpos\nplain; text\tneg\n',
    "pandas.tsv": 'text\tlabel\n"He said ""go"", now"\tpos\nplain; text\tneg\n',
    "all quoted.tsv": '"text"\t"label"\r\n"He said ""go"", now"\t"pos"\r\n"plain; text"\t"neg"\r\n',
    "letters.tsv": 'text\tlabel\nHe said "go", now\tpos\nplain; text\tneg\n',
    "empty columns.csv": 'text,label,,\n"He said ""go"", now",pos,,\nplain; text,neg,,\n',
    "no ending": CSV,
}


@pytest.mark.parametrize("name", TABLES)
def test_delimiter_and_quoting_are_found(tmp_path, name):
    assert values(write(tmp_path / name, TABLES[name])) == ROWS


def test_keys_override_what_is_found(tmp_path):
    path = write(tmp_path / "x.tsv", TABLES["pandas.tsv"])
    assert values(path, layout=Layout(quoting="no"))[0]["text"] == '"He said ""go"", now"'
    path = write(tmp_path / "x.csv", "text|label\na,b|c,d\n")
    assert values(path) == [{"text": "a,b", "label": "c,d"}]
    named = Layout(("one", "two"), "pipe")
    assert values(path, layout=named) == [{"one": "text", "two": "label"}, {"one": "a,b", "two": "c,d"}]
    assert values(write(path, "a,b|c,d\n"), layout=Layout(("x", "y", "z"), ",")) == [{"x": "a", "y": "b|c", "z": "d"}]


def test_wrong_keys_are_named(tmp_path):
    path = write(tmp_path / "x.csv", CSV)
    assert "delimiter: 'xx' is not one letter; give one, or comma, tab" in message(path, layout=Layout(delimiter="xx"))
    assert "quoting: 'maybe' is none of yes, no" in message(path, layout=Layout(quoting="maybe"))


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ('a\t"b ""c"""\n', True),
        ('"a\nb"\tc\n', True),
        ('"a\tb"\tc\n', True),
        ('"a"\t1\n"b"\t2\n', True),
        ('"a" b\tc\n"d ""e"""\tf\n', False),
        ('"a"\tb\nc\td\n', False),
        ('a "b"\tc\n"d ""e"""\tf\n', False),
        ('"a\tb\n', False),
        ("a\tb\n", False),
    ],
)
def test_when_a_tsv_file_is_quoted(text, quoted):
    assert looks_quoted(text, "\t") == quoted


def test_two_columns_of_one_name(tmp_path):
    import pyarrow
    from pyarrow import parquet

    told = "two columns are called 'text'; rename or remove one of them"
    assert message(write(tmp_path / "x.csv", "text,text,label\na,b,c\n")).endswith(told)
    parquet.write_table(pyarrow.table([["a"], ["b"]], names=["text", "text"]), tmp_path / "x.parquet")
    assert message(tmp_path / "x.parquet").endswith(told)
    assert "the name 'text' stands twice in one object" in message(
        write(tmp_path / "x.jsonl", '{"text": "a", "text": "b"}')
    )


def test_long_cells_are_read(tmp_path):
    assert values(write(tmp_path / "x.csv", f"text,label\n{'a' * 200_000},b\n"))[0]["text"] == "a" * 200_000


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"a": ' + "9" * 5000 + "}", "whole number of thousands of digits"),
        ("[" * 200_000, "nested too deeply"),
        ('{"a": ' * 100_000, "nested too deeply"),
        ('{"a": "\\ud800"}', "half of a surrogate pair"),
    ],
)
def test_values_that_python_cannot_hold(tmp_path, text, told):
    assert told in message(write(tmp_path / "x.json", text))


def test_nan_is_nothing(tmp_path):
    import pyarrow
    from pyarrow import parquet

    path = write(tmp_path / "x.jsonl", '{"a": NaN, "b": 1}\n')
    assert values(path) == [{"a": None, "b": 1}]
    parquet.write_table(pyarrow.table({"a": [float("nan"), 145.0]}), tmp_path / "x.parquet")
    assert values(tmp_path / "x.parquet") == [{"a": None}, {"a": 145.0}]


def test_a_parquet_file_by_another_name(tmp_path):
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.Table.from_pylist(ROWS), tmp_path / "x.json")
    assert values(tmp_path / "x.json") == ROWS
    assert message(tmp_path / "x.json", "json").endswith(
        "is a parquet file, not json; name the reader parquet (or any)"
    )


def test_all_faulty_lines_are_counted(tmp_path):
    path = write(tmp_path / "x.jsonl", '{"a": 1}\n{"a":\n{"a": 2}\n3\n{]\n{"a": }\n')
    assert message(path) == (
        f"{path}:2: broken JSON (Expecting value, column 6); mend or remove that line (4 of 6 lines are faulty; also "
        "line 4: expected a JSON object, found int, line 5: broken JSON (Expecting property name enclosed in double "
        "quotes, column 2), ...)"
    )
    path = write(tmp_path / "x.csv", "text,label\na\nb,c\nd,e,f\n")
    assert "x.csv:2: 1 columns where 2 are expected" in message(path)
    assert "(2 of 3 rows are faulty; also line 4: 3 columns where 2 are expected (text, label))" in message(path)


def test_all_faulty_rows_of_a_reader_are_counted(tmp_path):
    rows = [{"text": "a", "label": 0}, {"text": "b", "label": 5}, {"text": 3, "label": None}, {"text": "d"}]
    path = write(tmp_path / "x.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(UserError) as error:
        read_raw(
            path, "json", "classification", columns={"input": "text", "output": "label"}, labels=["n", "y"], task="t"
        )
    told = str(error.value)
    assert f"{path}:2: label number 5, but 'labels' names 2 (0 to 1)" in told
    assert "(3 of 4 rows are faulty; also line 3: field 'output' must be text, found nothing (null), line 4: " in told


@pytest.mark.parametrize(
    ("name", "split"), [("training.json", "train"), ("train.CSV.GZ", "train"), ("val.tab", "valid"), ("test.zip", None)]
)
def test_names_of_one_whole_file(tmp_path, name, split):
    path = write(tmp_path / name, b"x")
    found = {one: find_split_files(tmp_path, names_of(one)) for one in ("train", "validation", "test")}
    wanted = "validation" if split == "valid" else split
    assert found == {one: [path] if one == wanted else [] for one in found}
    assert [one.split for one in named_files(tmp_path)] == ([split] if split else [])


def test_shards_and_validation_names(tmp_path):
    for name in ("train-00001-of-00002.parquet", "train-00000-of-00002.parquet"):
        write(tmp_path / name, b"x")
    found = find_split_files(tmp_path, names_of("train"))
    assert [path.name for path in found] == ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"]
    (tmp_path / "train-00000-of-00002.parquet").unlink()
    with pytest.raises(UserError, match=r"part 0 of 2 is missing of 'train' \(1 are there\); fetch all parts"):
        find_split_files(tmp_path, names_of("train"))
    (tmp_path / "data").mkdir()
    shard = write(tmp_path / "data" / "test-00000-of-00001-a09b74b3ef9c3b56.parquet", b"x")
    assert find_split_files(tmp_path, names_of("test")) == [shard]
    assert find_split_files(tmp_path, names_of("valid")) == []
    dev = write(tmp_path / "dev.csv.zst", b"x")
    assert find_split_files(tmp_path, names_of("valid")) == [dev]
    write(tmp_path / "validation.json", b"x")
    with pytest.raises(UserError, match=r"holds several files for one split \(validation.json, dev.csv.zst\)"):
        find_split_files(tmp_path, names_of("valid"))
