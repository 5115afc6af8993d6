"""Canonical schemas: what is accepted, and the line that tells what is wrong."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.common.errors import UserError
from scripts.data.schemas import SCHEMAS, read_examples, validate, write_examples

GOOD = {
    "classification": {"task": "mood", "input": "fine", "output": "good", "options": ["good", "bad"]},
    "instruction": {"id": "0", "instruction": "Copy.", "input": "", "output": ""},
    "reasoning": {"input": "1 + 1?", "label": "2", "rationale": ""},
    "distillation": {
        "id": "0",
        "input": "1 + 1?",
        "label": "2",
        "rationale": "one more",
        "llm_label": "",
        "options": ["2", "3"],
    },
    "scored": {"id": "0", "score": 0.25},
    "teacher": {"text": ""},
    "text": {"text": "a page of the web"},
    "dialogue": {"id": "81", "category": "writing", "turns": ["a", "b"], "references": ["", "c"]},
    "evaluation": {"id": "0", "group": "g", "instruction": "i", "input": "", "baseline_output": "b", "reference": ""},
    "truth": {"id": "0", "good": True, "family": "copy", "fault": ""},
    "pool_truth": {"id": "1", "good": False, "family": "copy", "fault": "empty", "duplicate_of": "0"},
}


def changed(schema, **values):
    return {key: value for key, value in {**GOOD[schema], **values}.items() if value is not ...}


@pytest.mark.parametrize("schema", SCHEMAS)
def test_round_trip(schema, tmp_path):
    path = tmp_path / "x.jsonl"
    assert write_examples(path, [GOOD[schema]], schema) == 1
    assert read_examples(path, schema) == [GOOD[schema]]
    first = path.read_bytes()
    write_examples(path, [dict(reversed(list(GOOD[schema].items())))], schema)
    assert path.read_bytes() == first, "the order of keys must not matter"


@pytest.mark.parametrize(
    ("schema", "row", "told"),
    [
        ("instruction", changed("instruction", output=...), "field 'output' is missing"),
        ("instruction", changed("instruction", output=..., ouput="x"), "did you mean 'ouput'"),
        ("instruction", changed("instruction", output=None), "field 'output' must be text, found nothing (null)"),
        ("instruction", changed("instruction", output=3), "field 'output' must be text, found int 3"),
        ("instruction", changed("instruction", instruction=" "), "field 'instruction' is empty"),
        ("instruction", changed("instruction", score=0.5), "field 'score' is not in schema instruction"),
        ("instruction", changed("instruction", output="\ud83d"), "half of a surrogate pair"),
        ("classification", changed("classification", output="so so"), "not one of options (good, bad)"),
        ("classification", changed("classification", options=["good", "good"]), "names one label twice"),
        ("classification", changed("classification", options="good"), "must be a list of texts"),
        ("classification", changed("classification", output=""), "field 'output' is empty"),
        ("dialogue", changed("dialogue", turns=[]), "field 'turns' is empty"),
        ("dialogue", changed("dialogue", turns=["a", ""]), "holds an empty turn"),
        ("dialogue", changed("dialogue", references=["a"]), "1 entries for 2 turns"),
        ("truth", changed("truth", good="yes"), "must be true or false"),
    ],
)
def test_faults_name_line_field_and_remedy(schema, row, told, tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text("\n" + json.dumps(row) + "\n")
    with pytest.raises(UserError) as error:
        read_examples(path, schema)
    assert told in str(error.value)
    assert str(error.value).startswith(f"{path}:2: ")
    assert "\n" not in str(error.value)


def test_free_form_needs_no_options():
    row = changed("classification", options=[], output="anything")
    assert validate([row], "classification", "x") == [row]


def test_duplicate_id_names_both_places(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text((json.dumps(GOOD["instruction"]) + "\n") * 2)
    with pytest.raises(UserError, match=rf"^{path}:2: field 'id' repeats '0' of {path}:1"):
        read_examples(path, "instruction")


def test_empty_file(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text("\n\n")
    with pytest.raises(UserError, match="holds no examples"):
        read_examples(path, "instruction")


def test_nothing_is_written_when_a_row_is_wrong(tmp_path):
    path = tmp_path / "x.jsonl"
    with pytest.raises(UserError, match=r"x\.jsonl:2: field 'output' is missing"):
        write_examples(path, [GOOD["instruction"], changed("instruction", id="1", output=...)], "instruction")
    assert list(tmp_path.iterdir()) == []


def test_unknown_schema():
    with pytest.raises(UserError, match="did you mean 'instruction'"):
        validate([{}], "instructions", "x")


@given(st.text().filter(lambda text: not any("\ud800" <= letter <= "\udfff" for letter in text)))
def test_any_text_survives(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("text") / "x.jsonl"
    row = changed("instruction", output=text)
    write_examples(path, [row], "instruction")
    assert read_examples(path, "instruction") == [row]


@pytest.mark.parametrize("score", ["0.5", True, float("nan"), None])
def test_a_score_is_a_finite_number(score, tmp_path):
    with pytest.raises(UserError, match="field 'score' must be a finite number"):
        write_examples(tmp_path / "x.jsonl", [{"id": "0", "score": score}], "scored")
