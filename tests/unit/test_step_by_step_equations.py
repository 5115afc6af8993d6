"""Equations without `eval`: what has a value, what never has one, and what counts as right."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.common.errors import UserError
from scripts.step_by_step.equations import accuracy, correct_rows, evaluate

VALUES = [
    ("( 84.0 / 2.0 )", 42.0),
    ("(84 / 2)", 42.0),
    ("( ( 17.0 + 15.0 ) + 2.0 )", 34.0),
    ("-0.0", 0.0),
    ("+-3", -3.0),
    ("7 // 2", 3.0),
    ("-7 % 3", 2.0),
    ("2 ** 10", 1024.0),
    ("2 ** -1", 0.5),
    ("  5\n", 5.0),
    ("1e3", 1000.0),
    ("0 ** 0", 1.0),
]
NO_VALUES = [
    "", " ", "1/0", "0 ** -1", "0.0 ** -1", "(2 * x)", "((4 - 1)", "3 = 3", "3 == 3", "(1,200 + 3)",
    "(175, 5)", "equation", "True", "'3'", "3 and 4", "not 1", "1 if 1 else 2", "[1]", "{1: 2}", "(lambda: 1)()",
    "__import__('os')", "a.b", "1 .real", "abs(3)", "f'{1}'", "2j", "~1", "1 << 2", "1 | 2", "3 @ 4", "...",
    "None", "9**9**9", "9**9**9**9", "(-8) ** 0.5", "10 ** 400", "1e308 * 10", "inf", "nan", "1e999",
    "(" * 300 + "1" + ")" * 300, "(" * 240 + "1" + ")" * 240, "9" * 5000, "3and 4", "1+" * 249 + "1" + "+x",
    "1;2", "x:=3", "(x:=3)", "\x00", "3 apples", "4 dollars", "½",
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_arithmetic_has_a_value(text, value):
    assert evaluate(text) == value


@pytest.mark.parametrize("text", NO_VALUES)
def test_nothing_else_has_one_and_it_is_never_right(text):
    assert math.isnan(evaluate(text))
    assert correct_rows("equation", [text], [text]) == [False]


def test_equality_is_exact():
    predictions, labels = ["(84 / 2)", "42", "0.1 + 0.2", "-0.0"], ["( 84.0 / 2.0 )", "42.0", "0.3", "0"]
    assert correct_rows("equation", predictions, labels) == [True, True, False, True]


def test_text_ignores_blanks_around_it_only():
    told, labels = [" a b", "a  b", "A b", ""], ["a b ", "a b", "a b", ""]
    assert correct_rows("text", told, labels, "ignored") == [True, False, False, True]


def test_blanks_count_as_in_the_released_code():
    told, labels = [" a b", "a b", "a b ", " "], ["a b", "a b", "a b ", ""]
    assert correct_rows("text", told, labels) == [False, True, True, False]
    assert correct_rows("equation", [" 1 ", "2 "], ["1", " 2"]) == [True, True]  # blanks do not change a value
    with pytest.raises(UserError, match="blanks"):
        correct_rows("text", told, labels, "kept")


@given(st.lists(st.tuples(st.sampled_from(["1", "2", "(1 + 1)", "x"]), st.sampled_from(["1", "2"])), min_size=1))
def test_accuracy_does_not_depend_on_the_order_of_rows(rows):
    mixed = random.Random(0).sample(rows, len(rows))
    for metric in ("text", "equation"):
        assert accuracy(metric, *zip(*rows)) == accuracy(metric, *zip(*mixed))


@given(st.recursive(
    st.integers(0, 99).map(str) | st.floats(0, 99).map(lambda value: f"{value:.2f}"),
    lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda parts: f"( {' '.join(parts)} )"),
    max_leaves=8,
))  # fmt: skip
def test_values_are_pythons_own(text):
    assert evaluate(text) == eval(text)  # noqa: S307 (texts of our own making: numbers and signs)


def test_labels_against_themselves():
    labels = ["( 1.0 + 2.0 )", "3", "Mrs."]
    assert accuracy("text", labels, labels) == 1.0
    assert accuracy("equation", labels, labels) == pytest.approx(2 / 3)


def test_wrong_use_is_refused():
    with pytest.raises(UserError, match=r"metric: unknown value 'equal'"):
        correct_rows("equal", [], [])
    with pytest.raises(ValueError):
        correct_rows("text", ["a"], [])
    with pytest.raises(ValueError):
        accuracy("text", [], [])


def test_every_label_of_svamp_has_a_value(shared):
    import json

    rows = json.loads((shared / "data/step_by_step/svamp/SVAMP.json").read_text(encoding="utf-8"))
    equations = [row["Equation"] for row in rows]
    assert accuracy("equation", equations, [str(row["Answer"]) for row in rows]) > 0.99
    assert accuracy("equation", equations, equations) == 1.0
