"""Readers of reasoning data: the released formats, one's own rows, and one clear line for each fault."""

from __future__ import annotations

import gzip
import json

import pytest

from scripts.common.errors import UserError
from scripts.data.reader_reasoning import own_rows
from scripts.data.readers import read_raw

ROWS = [
    {"input": "naïve?\nyes", "label": "a\nb", "rationale": "because"},
    {"input": "x", "label": "{y}", "rationale": "\u6f22"},
]


def lines(rows) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


FORMS = {
    "lines": lines(ROWS),
    "list": json.dumps(ROWS),
    "indented objects": "\n".join(json.dumps(row, indent=4) for row in ROWS),
    "objects with commas": ",\n".join(json.dumps(row) for row in ROWS),
}


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_of_own_rows_give_the_same_table(tmp_path, form):
    rows = read_raw(write(tmp_path / "x.json", FORMS[form]), "generic_json", "distillation")
    assert [{name: row[name] for name in ROWS[0]} for row in rows] == ROWS
    assert [row["id"] for row in rows] == ["0", "1"]


def test_one_object_is_one_row_and_a_rationale_may_lack(tmp_path):
    row = {"input": "x", "label": "y"}
    (read,) = read_raw(write(tmp_path / "x.json", json.dumps(row, indent=1)), "generic_json", "reasoning")
    assert read == {**row, "rationale": ""}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "x.json: the file is empty; expected a JSON list or JSON lines"),
        ('{"input": "a"}\n{"input": ', r"x.json:2: broken JSON"),
        ('{"input": "a"}\n\n3', r"x.json:3: expected a JSON object, found int"),
        ('{"input": "a", "rationale": ""}', "x.json:1: column 'label' is missing"),
        (
            b'{"input": "a", "label": "b"}\n{"input": "\xe9", "label": "b"}\n',
            r"\(1 of 2 lines, first line 2\); convert it",
        ),
    ],
)
def test_faults_of_own_rows(tmp_path, content, told):
    with pytest.raises(UserError, match=told):
        read_raw(write(tmp_path / "x.json", content), "generic_json", "reasoning")


def test_places_are_lines(tmp_path):
    path = write(tmp_path / "x.json", FORMS["indented objects"])
    assert [record.place for record in own_rows(path)] == [f"{path}:1", f"{path}:6"]


PAIRS = [{"premise": "A b.", "hypothesis": "C.", "label": 2}, {"premise": "D", "hypothesis": "E", "label": 0}]


def test_inference_pairs_in_every_form(tmp_path):
    from_json = read_raw(write(tmp_path / "x.json", lines(PAIRS)), "nli_pairs", "distillation")
    assert [row["input"] for row in from_json] == ["A b.</s>C.", "D</s>E"]
    assert [row["label"] for row in from_json] == ["contradiction", "entailment"]
    assert from_json[0]["options"] == ["entailment", "neutral", "contradiction"]
    table = "pairID,gold_label,Sentence1,Sentence2,Explanation_1\n1,contradiction,A b.,C.,x\n2,entailment,D,E,y\n"
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(table.encode()))
    assert read_raw(tmp_path / "x.csv.gz", "nli_pairs", "distillation") == from_json
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.Table.from_pylist(PAIRS), tmp_path / "x.parquet")
    assert read_raw(tmp_path / "x.parquet", "nli_pairs", "distillation") == from_json


def test_unknown_classes_are_counted(tmp_path):
    rows = [*PAIRS, {**PAIRS[0], "label": -1}, {**PAIRS[0], "label": "maybe"}, {**PAIRS[0], "label": True}]
    told = r"x.json: 3 of 5 rows have an unknown label \(3: -1, 4: 'maybe', 5: True\); expected entailment, neutral"
    with pytest.raises(UserError, match=told):
        read_raw(write(tmp_path / "x.json", lines(rows)), "nli_pairs", "reasoning")


def test_choices_follow_the_question(tmp_path):
    row = {"id": "q", "question": "Where?", "choices": ["zoo", "sea", "zoo"], "answer": "sea"}
    (read,) = read_raw(write(tmp_path / "x.json", lines([row])), "cos_e", "distillation")
    assert read["input"] == "Where?\nAnswer Choices:\n(a) zoo\n(b) sea\n(c) zoo"
    assert (read["label"], read["options"], read["id"]) == ("sea", ["zoo", "sea"], "0")
    told = r"x.json: 2 of 3 rows have a label that is not among their choices \(2: 'bay', 3: 'lake'\); mend the labels"
    bad = [row, {**row, "answer": "bay"}, {**row, "answer": "lake"}]
    with pytest.raises(UserError, match=told):
        read_raw(write(tmp_path / "x.json", lines(bad)), "cos_e", "reasoning")
    with pytest.raises(UserError, match="field 'choices' must be a list of texts"):
        read_raw(write(tmp_path / "x.json", lines([{**row, "choices": "zoo"}])), "cos_e", "reasoning")


def test_svamps_own_file_and_the_released_split_agree(tmp_path):
    own = [
        {"ID": "c", "Body": "B b.", "Question": "Q?", "Equation": "( 1.0 + 2.0 )", "Answer": 3.0, "Type": "Addition"}
    ]
    split = [{"input": "B b.\nQ?", "label": "( 1.0 + 2.0 )"}]
    first = read_raw(write(tmp_path / "a.json", json.dumps(own)), "svamp", "reasoning")
    assert first == read_raw(write(tmp_path / "b.json", lines(split)), "svamp", "reasoning")


ASDIV = (
    '<?xml version="1.0"?><F><ProblemSet><Problem ID="n1"><Body>A &lt; b.</Body><Question>Q? </Question>'
    "<Answer>{answer}</Answer></Problem></ProblemSet></F>"
)


def test_asdiv_labels_have_no_unit(tmp_path):
    (row,) = read_raw(write(tmp_path / "x.xml", ASDIV.format(answer="9 (apples)")), "asdiv_xml", "reasoning")
    assert row == {"input": "A < b.\nQ? ", "label": "9", "rationale": ""}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (ASDIV.format(answer=" "), "problem n1: element 'Answer' is missing or empty"),
        ("<F></F>", "holds no element 'Problem'"),
        ("<F>", "broken XML"),
    ],
)
def test_faults_of_asdiv(tmp_path, content, told):
    with pytest.raises(UserError, match=told):
        read_raw(write(tmp_path / "x.xml", content), "asdiv_xml", "reasoning")


def test_answers_are_a_list_of_texts(tmp_path):
    rows = read_raw(write(tmp_path / "x.json", '["a\\n", ""]'), "llm_outputs", "teacher")
    assert rows == [{"text": "a\n"}, {"text": ""}]
    with pytest.raises(UserError, match=r"2 of 3 rows are no text \(row 0: int, row 2: NoneType\)"):
        read_raw(write(tmp_path / "x.json", '[1, "a", null]'), "llm_outputs", "teacher")
    with pytest.raises(UserError, match="expected a JSON list of texts, found dict"):
        read_raw(write(tmp_path / "x.json", "{}"), "llm_outputs", "teacher")
    with pytest.raises(UserError, match="holds no examples"):
        read_raw(write(tmp_path / "x.json", "[]"), "llm_outputs", "teacher")


@pytest.mark.parametrize(
    ("file", "reader", "count"),
    [
        ("step_by_step/cqa/cqa_train.json.gz", "cos_e", 9741),
        ("step_by_step/cqa/cqa_test.json", "cos_e", 1221),
        ("step_by_step/svamp/SVAMP.json", "svamp", 1000),
        ("step_by_step/anli1/anli1_test.json.gz", "nli_pairs", 1000),
        ("step_by_step/esnli/esnli_valid.json.gz", "nli_pairs", 9842),
        ("asdiv/ASDiv.xml.gz", "asdiv_xml", 2305),
    ],
)
def test_real_files(shared, file, reader, count):
    rows = read_raw(shared / "data" / file, reader, "distillation")
    assert len(rows) == count
    assert all(row["label"] in row["options"] for row in rows if row["options"])
