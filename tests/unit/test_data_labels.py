"""What a value means as a label: a name, a position, a boolean, a number with a fraction; in all forms of a file."""

from __future__ import annotations

import json

import pytest

from scripts.common.errors import UserError
from scripts.data.labels import LabelFault, Position, label_text, near_option
from scripts.data.readers import read_raw


@pytest.mark.parametrize(
    ("value", "labels", "meant"),
    [
        (1, ["1", "0"], "1"),
        (0, ["1", "0"], "0"),
        ("1", ["1", "0"], "1"),
        (3, ["1", "2", "3"], "3"),
        (-1, ["-1", "0", "1"], "-1"),
        ("-1", ["-1", "0", "1"], "-1"),
        (1.0, ["-1", "0", "1"], "1"),
        (4, ["4.0", "5.0"], "4.0"),
        (1, ["no", "yes"], "yes"),
        ("1", ["no", "yes"], "yes"),
        ("1.0", ["no", "yes"], "yes"),
        (1.0, ["no", "yes"], "yes"),
        (True, ["false", "true"], "true"),
        (False, ["No", "Yes"], "No"),
        ("True", ["true", "false"], "true"),
        ("yes", ["no", "yes"], "yes"),
        (Position(0), ["1", "0"], "1"),
        (Position(2), [], "2"),
        (145.0, [], "145"),
        (0.5, [], "0.5"),
        (True, [], "true"),
        ("1", [], "1"),
        (None, ["a"], None),
    ],
)
def test_what_a_value_means(value, labels, meant):
    assert label_text(value, labels) == meant


@pytest.mark.parametrize(
    ("value", "labels", "told"),
    [
        (4, ["1", "2", "3"], r"label 4 is none of the labels \(1, 2, 3\)"),
        (0, ["one", "2"], "label 0 is none of the labels"),
        (2, ["no", "yes"], r"label number 2, but 'labels' names 2 \(0 to 1\)"),
        (-1, ["no", "yes"], "label number -1, but"),
        (True, ["bad", "good"], r"label true is none of the labels \(bad, good\); name true and false among them"),
        (Position(4), ["1", "2"], "label number 4, but"),
    ],
)
def test_what_no_value_means(value, labels, told):
    with pytest.raises(LabelFault, match=told):
        label_text(value, labels)


@pytest.mark.parametrize("labels", [["1", "0"], ["0", "1"], ["no", "yes"]])
def test_all_forms_of_a_file_agree(tmp_path, labels):
    import pyarrow
    from pyarrow import parquet

    (tmp_path / "x.jsonl").write_text("".join(json.dumps({"text": "t", "label": n}) + "\n" for n in (0, 1)))
    (tmp_path / "x.csv").write_text("text,label\nt,0\nt,1\n")
    (tmp_path / "x.tsv").write_text("text\tlabel\nt\t0\nt\t1\n")
    parquet.write_table(pyarrow.table({"text": ["t", "t"], "label": [0, 1]}), tmp_path / "x.parquet")
    parquet.write_table(pyarrow.table({"text": ["t", "t"], "label": [0.0, 1.0]}), tmp_path / "float.parquet")
    found = [
        [row["output"] for row in read_raw(path, "any", "classification", columns={"input": "text", "output": "label"},
                                           labels=labels, task="t")]
        for path in sorted(tmp_path.iterdir())
    ]  # fmt: skip
    assert found == [["no", "yes"] if "no" in labels else ["0", "1"]] * 5


def test_class_numbers_by_definition_are_positions(tmp_path):
    (tmp_path / "x.csv").write_text('"1","a","b"\n"2","c","d"\n')
    rows = read_raw(tmp_path / "x.csv", "ag_news_csv", "classification", labels=["2", "1"], task="t")
    assert [row["output"] for row in rows] == ["2", "1"]
    (tmp_path / "x.json").write_text('{"text": "a", "labels": 0}\n{"text": "b", "labels": 1}\n')
    rows = read_raw(tmp_path / "x.json", "dilm_synthetic", "classification", labels=["1", "0"], task="t")
    assert [row["output"] for row in rows] == ["1", "0"]


def test_labels_of_other_schemas_are_named_too(tmp_path):
    (tmp_path / "x.jsonl").write_text('{"input": "a", "label": 1}\n{"input": "b", "label": true}\n')
    rows = read_raw(tmp_path / "x.jsonl", "generic_json", "distillation", labels=["no", "yes"])
    assert [row["label"] for row in rows] == ["yes", "yes"]
    assert [row["label"] for row in read_raw(tmp_path / "x.jsonl", "generic_json", "distillation")] == ["1", "true"]
    with pytest.raises(UserError, match="labels: 1 is not text; put each name in quotes"):
        read_raw(tmp_path / "x.jsonl", "generic_json", "distillation", labels=[1, 0])


def test_hints_for_answers_that_are_nearly_an_option():
    assert near_option("Pos", ["neg", "pos"]) == " (it differs from 'pos' in case or blanks only)"
    assert near_option("pos ", ["neg", "pos"]) == " (it differs from 'pos' in case or blanks only)"
    assert near_option("x", ["neg", "pos"]) == ""


def test_a_pair_of_texts_with_a_line_break_keeps_a_line_each(tmp_path, caplog):
    caplog.set_level("INFO")
    (tmp_path / "x.csv").write_text('a,b,label\n"one\r\ntwo",three,y\nfour,five,n\n')
    columns = {"input": "{a}\n{b}", "output": "label"}
    rows = read_raw(tmp_path / "x.csv", "csv", "classification", columns=columns, task="t")
    assert [row["input"] for row in rows] == ["one two\nthree", "four\nfive"]
    assert "1 of 2 rows have line breaks in a column that gets one line; they became blanks" in caplog.text


def test_a_missing_value_in_a_template_is_no_word(tmp_path):
    (tmp_path / "x.jsonl").write_text('{"q": "Why?", "more": null, "output": "so"}')
    columns = {"instruction": "{q} {more}"}
    assert read_raw(tmp_path / "x.jsonl", "json", "instruction", columns=columns)[0]["instruction"] == "Why? "
