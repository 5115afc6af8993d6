"""Distilled sets: JSON lines, parquet, DiLM's released files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.common.errors import UserError
from scripts.common.files import write_jsonl
from scripts.ddg.convert_sets import main as convert
from scripts.ddg.distilled import Layout, TextSet, read_set, write_parquet, write_set
from scripts.ddg.texts import read_task, split_text
from tests.unit.ddg_tiny import of_class

NAMES = ("no", "yes", "maybe")
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(st.tuples(TEXT, TEXT, st.integers(0, 2)), min_size=1, max_size=9))
def test_lines_and_parquet_give_back_what_was_written(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("sets")
    whole = TextSet(("premise", "hypothesis"), tuple(row[:2] for row in rows), tuple(row[2] for row in rows))
    write_set(folder / "x.jsonl", whole)
    assert read_set(folder / "x.jsonl", whole.columns, 3) == whole
    write_parquet(folder / "x.parquet", whole, NAMES)
    back = read_set(folder / "x.parquet", whole.columns, 3)
    assert list(back.labels) == sorted(whole.labels)
    for label in range(3):
        assert of_class(back, label) == of_class(whole, label)  # stable: the order within a class stays


def test_parquet_has_canonical_columns_and_types(tmp_path):
    from pyarrow import parquet

    given = TextSet(("sentence",), (("b",), ("a",)), (1, 0))
    write_parquet(tmp_path / "bare.parquet", given, NAMES)  # the columns of DDG's converter, without its index
    table = parquet.read_table(tmp_path / "bare.parquet")
    assert [(field.name, str(field.type)) for field in table.schema] == [("sentence", "string"), ("label", "int64")]
    write_parquet(tmp_path / "x.parquet", given, NAMES, Layout(label_text=True))
    table = parquet.read_table(tmp_path / "x.parquet")
    assert [(field.name, str(field.type)) for field in table.schema] == [
        ("sentence", "string"),
        ("label", "int64"),
        ("label_text", "string"),
    ]
    assert table.to_pylist() == [
        {"sentence": "a", "label": 0, "label_text": "no"},
        {"sentence": "b", "label": 1, "label_text": "yes"},
    ]


def test_columns_are_those_that_a_released_script_reads(tmp_path):
    from pyarrow import parquet

    given = TextSet(("sentence",), (("b",), ("a",)), (1, 0))
    layout = Layout(names={"sentence": "text", "label": "labels"})
    write_parquet(tmp_path / "sst2.parquet", given, NAMES, layout)
    rows = [{"text": "a", "labels": 0}, {"text": "b", "labels": 1}]
    assert parquet.read_table(tmp_path / "sst2.parquet").to_pylist() == rows
    assert read_set(tmp_path / "sst2.parquet", ["text"], 2).labels == (0, 1)
    write_parquet(tmp_path / "go.parquet", given, NAMES, Layout(names={"label": "labels"}, label_lists=True))
    rows = [{"sentence": "a", "labels": [0]}, {"sentence": "b", "labels": [1]}]
    assert parquet.read_table(tmp_path / "go.parquet").to_pylist() == rows
    assert read_set(tmp_path / "go.parquet", ["sentence"], 2).labels == (0, 1)
    with pytest.raises(UserError, match="rename: no column 'text'; the set has sentence, label"):
        write_parquet(tmp_path / "x.parquet", given, NAMES, Layout(names={"text": "t"}))
    with pytest.raises(UserError, match="rename: two columns would have one name"):
        write_parquet(tmp_path / "x.parquet", given, NAMES, Layout(names={"label": "sentence"}))


def test_equal_sets_are_equal_bytes(tmp_path):
    whole = TextSet(("sentence",), (("b",), ("a",)), (1, 0))
    for name in ("x", "y"):
        write_parquet(tmp_path / f"{name}.parquet", whole, NAMES)
    assert (tmp_path / "x.parquet").read_bytes() == (tmp_path / "y.parquet").read_bytes()


def test_pandas_files_of_the_released_converter_are_read(tmp_path):
    import pandas

    frame = pandas.DataFrame({"sentence": ["b", "a"], "label": [1, 0]}).sort_values("label")
    frame.to_parquet(tmp_path / "x.parquet")
    assert read_set(tmp_path / "x.parquet", ["sentence"], 2) == TextSet(("sentence",), (("a",), ("b",)), (0, 1))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"sentence": "a", "labels": 2}, "x.jsonl:1: label 2 is outside the table of 2 labels (0 to 1)"),
        ({"sentence": "a", "labels": -1}, "label -1 is outside the table"),
        ({"sentence": "a", "labels": "pos"}, "needs one class number under 'labels'"),
        ({"sentence": "a"}, "needs one class number under 'labels'"),
        ({"sentence": "a", "labels": 1, "label": 1}, "needs one class number under 'labels'"),
        ({"text": "a", "labels": 1}, "text column 'sentence' is missing or no text (found text)"),
    ],
)
def test_damaged_rows_are_named(tmp_path, row, message):
    write_jsonl(tmp_path / "x.jsonl", [row])
    with pytest.raises(UserError) as caught:
        read_set(tmp_path / "x.jsonl", ["sentence"], 2)
    assert message in str(caught.value)


def test_the_step_converts_a_tree(tmp_path):
    whole = TextSet(("sentence",), (("b",), ("a",)), (1, 0))
    write_set(tmp_path / "sets" / "seed_0" / "dpc_1" / "draw_0.jsonl", whole)
    flags = ["--sets", str(tmp_path / "sets"), "--labels", "no", "yes", "--text-columns", "sentence"]
    flags += ["--label-text", "no", "--label-lists", "no"]
    convert([*flags, "--converted-out", str(tmp_path / "out")])
    back = read_set(tmp_path / "out" / "seed_0" / "dpc_1" / "draw_0.parquet", ["sentence"], 2)
    assert back.texts == (("a",), ("b",))
    convert([*flags, "--rename", "sentence=text", "--converted-out", str(tmp_path / "renamed")])
    back = read_set(tmp_path / "renamed" / "seed_0" / "dpc_1" / "draw_0.parquet", ["text"], 2)
    assert back.texts == (("a",), ("b",))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no .jsonl or .json file in this folder"):
        convert(["--sets", str(tmp_path / "empty"), *flags[2:], "--converted-out", str(tmp_path / "out")])


@pytest.mark.parametrize(
    ("task", "columns", "classes"),
    [("sst2", ["sentence"], 2), ("qqp", ["question1", "question2"], 2), ("mnli", ["premise", "hypothesis"], 3)],
)
def test_all_released_sets_survive_the_conversion(shared: Path, tmp_path, task, columns, classes):
    paths = sorted((shared / "data" / "dilm_synthetic").glob(f"{task}_*.json"))
    assert len(paths) == 15
    for path in paths:
        dpc = int(path.stem.split("_")[1][3:])
        whole = read_set(path, columns, classes)
        assert [len(of_class(whole, label)) for label in range(classes)] == [dpc] * classes
        write_parquet(tmp_path / "x.parquet", whole, [str(label) for label in range(classes)])
        assert read_set(tmp_path / "x.parquet", columns, classes) == whole  # they are grouped by class already


def rows(*inputs: str, options: tuple[str, ...] = ("no", "yes")) -> list[dict]:
    return [{"task": "t", "input": text, "output": "yes", "options": list(options)} for text in inputs]


def test_a_task_reads_columns_and_class_numbers(tmp_path):
    write_jsonl(tmp_path / "x.jsonl", rows("a  b\nc", "d\ne"))
    task = read_task(tmp_path / "x.jsonl", ["premise", "hypothesis"])
    assert task.texts == (("a  b", "c"), ("d", "e"))  # blanks within a text stay, as in the originals
    assert (task.labels, task.label_names, task.rows_of(1)) == ((1, 1), ("no", "yes"), [0, 1])
    assert read_task(tmp_path / "x.jsonl", ["text"]).texts[0] == ("a  b\nc",)


@pytest.mark.parametrize(
    ("given", "columns", "message"),
    [
        (rows("a"), ["one", "two"], "row 1: input has 1 lines for the text columns one, two"),
        (rows("a", " "), ["one"], "row 2: text column 'one' is empty"),
        (rows("a <sep> b"), ["one"], "row 1: the text holds a marker of the generator"),
        (rows("a", options=()), ["one"], "row 1: options are empty"),
        (rows("a") + rows("b", options=("yes", "no")), ["one"], "row 2: options are empty or not those of row 1"),
        (rows("a"), ["one", "one"], "text_columns: name one or more different columns"),
    ],
)
def test_rows_that_do_not_fit_are_named(tmp_path, given, columns, message):
    write_jsonl(tmp_path / "x.jsonl", given)
    with pytest.raises(UserError) as caught:
        read_task(tmp_path / "x.jsonl", columns)
    assert message in str(caught.value)


def test_a_label_outside_the_table_is_named(tmp_path):
    write_jsonl(tmp_path / "x.jsonl", [{**rows("a")[0], "output": "perhaps"}])
    with pytest.raises(UserError, match="field 'output' is 'perhaps', not one of options"):
        read_task(tmp_path / "x.jsonl", ["text"])


def test_text_is_split_at_lines():
    assert split_text(" a\tb \n c ", ["one", "two"], "x") == ("a\tb", "c")
    assert split_text(" a  b\nc ", ["one"], "x") == ("a  b\nc",)  # as the originals: blanks within a text stay
