"""Queries in any form; a right answer that is none of the options is refused, as demonstrations are."""

from __future__ import annotations

import json

import pytest

from scripts.common.errors import UserError
from scripts.mend.score_queries import read_queries

LABELS = ["0", "1", "neg", "pos"]


def queries(tmp_path, *rows):
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_queries(str(tmp_path / "q.jsonl"), LABELS)


def test_answers_are_options_or_missing(tmp_path):
    rows = queries(
        tmp_path,
        {"input": "a", "output": "pos"},
        {"input": "b", "output": 1},
        {"input": "c", "output": 0.0},
        {"input": "d", "output": None},
        {"input": "e", "output": "x", "options": ["x", "y"]},
    )
    assert [full["output"] for _, full in rows] == ["pos", "1", "0", "0", "x"]
    assert [full["options"] for _, full in rows][3:] == [LABELS, ["x", "y"]]
    assert rows[3][0] == {"input": "d", "output": None}
    (tmp_path / "q.csv").write_text("input,output\na,pos\nb,\n")
    assert [full["output"] for _, full in read_queries(str(tmp_path / "q.csv"), LABELS)] == ["pos", "0"]


def test_answers_that_are_no_option_are_counted(tmp_path):
    wrong = [{"input": "a", "output": value} for value in ("Pos", "pos ", 7, True)]
    with pytest.raises(UserError) as error:
        queries(tmp_path, {"input": "a", "output": "pos"}, *wrong)
    told = str(error.value)
    assert "q.jsonl:2: field 'output' is 'Pos', none of the options (0, 1, neg, pos)" in told
    assert "(it differs from 'pos' in case or blanks only); mend the row (4 of 5 rows are faulty; also line 3: " in told
