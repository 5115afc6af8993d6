"""Files are written whole or not at all, equal content gives equal bytes, a broken file is named by its line."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.common.errors import UserError
from scripts.common.files import (
    atomic_path,
    read_csv,
    read_json,
    read_jsonl,
    read_text,
    to_json,
    whole_folder,
    write_csv,
    write_json,
    write_jsonl,
    write_text,
)


def message(function, *args) -> str:
    with pytest.raises(UserError) as error:
        function(*args)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path):
    path = tmp_path / "rows.jsonl"
    write_jsonl(path, [{"a": 1}])

    def rows():
        yield {"a": 2}
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError):
        write_jsonl(path, rows())
    assert path.read_text() == '{"a": 1}\n'
    assert list(tmp_path.iterdir()) == [path]


def test_new_files_get_the_usual_permissions(tmp_path):
    write_text(tmp_path / "ours", "x")
    (tmp_path / "plain").write_text("x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_atomic_path_makes_the_folder(tmp_path):
    with atomic_path(tmp_path / "a" / "b.bin") as temporary:
        temporary.write_bytes(b"1")
        assert not (tmp_path / "a" / "b.bin").exists()
    assert (tmp_path / "a" / "b.bin").read_bytes() == b"1"


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "made" / "folder"
    with whole_folder(target) as new:
        write_text(new / "1", "old")
    with pytest.raises(ValueError, match="Out of range"), whole_folder(target) as new:
        write_json(new / "1", float("nan"))
    assert (target / "1").read_text() == "old"
    with whole_folder(target) as new:
        write_text(new / "2", "new")
        assert (target / "1").read_text() == "old"
    assert [path.name for path in target.iterdir()] == ["2"]
    assert list(target.parent.iterdir()) == [target]


def test_two_that_write_one_folder_do_not_meet(tmp_path):
    with whole_folder(tmp_path / "x") as first:
        write_text(first / "a", "1")
        with whole_folder(tmp_path / "x") as second:
            assert second != first
            write_text(second / "a", "2")
        assert (first / "a").read_text() == "1"
    assert (tmp_path / "x" / "a").read_text() == "1"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_folder_gets_the_usual_permissions(tmp_path):
    (tmp_path / "plain").mkdir()
    write_text(tmp_path / "plain" / "file", "x")
    with whole_folder(tmp_path / "ours") as new:
        (new / "sub").mkdir(0o700)
        (new / "file").touch(0o600)
    for ours, plain in (("ours", "plain"), ("ours/sub", "plain"), ("ours/file", "plain/file")):
        assert (tmp_path / ours).stat().st_mode == (tmp_path / plain).stat().st_mode


def test_equal_content_gives_equal_bytes(tmp_path):
    write_json(tmp_path / "1", {"b": 1, "a": {"d": [1.5], "c": "é"}})
    write_json(tmp_path / "2", {"a": {"c": "é", "d": [1.5]}, "b": 1})
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    assert "é".encode() in (tmp_path / "1").read_bytes()


def test_nan_is_refused():
    with pytest.raises(ValueError, match="Out of range"):
        to_json({"loss": float("nan")})


@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3), max_size=4))
def test_json_lines_come_back_as_they_were(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    write_jsonl(path, rows)
    assert read_jsonl(path) == rows


def test_line_separators_inside_text_do_not_split_a_row(tmp_path):
    row = {"text": "one\u2028two\u2029three\x85four\x0bfive"}
    write_jsonl(tmp_path / "rows.jsonl", [row])
    assert read_jsonl(tmp_path / "rows.jsonl") == [row]


def test_windows_line_ends_byte_order_mark_and_gzip(tmp_path):
    text = '\ufeff{"a": 1}\r\n\r\n{"a": 2}\r\n'.encode()
    (tmp_path / "w.jsonl").write_bytes(text)
    (tmp_path / "w.jsonl.gz").write_bytes(gzip.compress(text))
    assert read_jsonl(tmp_path / "w.jsonl") == read_jsonl(tmp_path / "w.jsonl.gz") == [{"a": 1}, {"a": 2}]


def test_broken_files_are_named(tmp_path):
    path = tmp_path / "x"
    path.write_text('{"a": 1}\n{"a": \n')
    assert message(read_jsonl, path) == f"{path}:2: broken JSON (Expecting value, column 7); mend or remove that line"
    path.write_text("[1]\n")
    assert message(read_jsonl, path) == f"{path}:1: expected a JSON object, found list"
    path.write_text('{\n"a": 1,,\n}')
    assert message(read_json, path).startswith(f"{path}:2: broken JSON (")
    path.write_text(" \n")
    assert message(read_json, path) == f"{path}: the file is empty; expected JSON"
    path.write_bytes(b"ab\xff")
    assert message(read_text, path) == f"{path}: not UTF-8 text at byte 2; convert it to UTF-8"
    assert message(read_text, tmp_path / "none") == f"{tmp_path / 'none'}: no such file; check the path"


@pytest.mark.parametrize("damage", ["cut", "flip", "head"])
def test_damaged_gzip(tmp_path, damage):
    path = tmp_path / "x.gz"
    packed = bytearray(gzip.compress(json.dumps(list(range(2000))).encode()))
    if damage == "cut":
        packed = packed[: len(packed) // 2]
    elif damage == "flip":
        packed[len(packed) // 2 : len(packed) // 2 + 40] = b"\xff" * 40
    else:
        packed[0] = 0
    path.write_bytes(packed)
    assert message(read_text, path) == f"{path}: damaged or incomplete gzip file; fetch it again"


def test_csv(tmp_path):
    path = tmp_path / "t.csv"
    write_csv(path, [{"b": "x,y", "a": 1}, {"a": 2, "b": 'quote " and\nline'}], ["a", "b"])
    assert path.read_bytes() == b'a,b\n1,"x,y"\n2,"quote "" and\nline"\n'
    assert read_csv(path, ["b"]) == [{"a": "1", "b": "x,y"}, {"a": "2", "b": 'quote " and\nline'}]
    assert message(read_csv, path, ["c"]) == f"{path}: column 'c' is missing; found a, b"
    with pytest.raises(ValueError, match="not in fieldnames"):
        write_csv(path, [{"z": 1}], ["a"])
    (tmp_path / "empty.csv").write_text("")
    assert message(read_csv, tmp_path / "empty.csv", ["c"]).endswith("column 'c' is missing; found no header")
