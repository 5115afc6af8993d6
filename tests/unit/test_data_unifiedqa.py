"""UnifiedQA's lines as MetaICL tasks."""

from __future__ import annotations

import pytest

from scripts.common.errors import UserError
from scripts.data import unifiedqa


def test_test_rows_have_their_options():
    lines = ["where ? \\n (A) here (B) there \\n a tale\tthere", "is it ? \\n some text\tyes", ""]
    found = unifiedqa.test_examples("mctest", lines, "x")
    assert [row["options"] for row in found] == [["here", "there"], []]
    assert [row["output"] for row in found] == ["there", "yes"]
    assert found[0]["input"].split() == ["where", "?", "a", "tale"]
    assert found[0]["task"] == "unifiedqa:mctest"


def test_broken_test_rows():
    with pytest.raises(UserError, match=r"x:2: answer 'nowhere' is none of the options"):
        unifiedqa.test_examples("mctest", ["", "where ? \\n (A) here (B) there\tnowhere"], "x")
    with pytest.raises(UserError, match=r"x:1: expected question, tab, answer"):
        unifiedqa.test_examples("mctest", ["no tab"], "x")


def test_train_rows_need_their_answer_in_the_context():
    lines = ["who ? \\n The cat sat\tthe Cat!", "who ? \\n the cat sat\ta dog", "broken"]
    assert [row["output"] for row in unifiedqa.train_examples("drop", lines, 100, "x")] == ["the Cat!"]
    assert len(unifiedqa.train_examples("squad2", lines, 100, "x")) == 2


def test_options_of_some_tasks_are_left_out():
    (row,) = unifiedqa.train_examples("social_iqa", ["who ? \\n (A) me (B) you \\n a tale\tme"], 100, "x")
    assert row["input"] == "who ? \\n a tale"


def test_a_long_context_is_cut_around_the_answer():
    words = [f"word{number}" for number in range(400)]
    line = f"which ? \\n {' '.join(words)}\tword321"
    (row,) = unifiedqa.train_examples("quoref", [line], 100, "x")
    assert "word321" in row["input"].split()
    assert len(row["input"].split()) <= unifiedqa.MAX_WORDS
    assert unifiedqa.train_examples("quoref", [line], 100, "x") == [row]
    assert len(unifiedqa.train_examples("squad2", [line], 100, "x")[0]["input"].split()) > 400


def test_normalised_as_squad_does():
    assert unifiedqa.normalised("The  Cat's, a  hat.") == "cats hat"
