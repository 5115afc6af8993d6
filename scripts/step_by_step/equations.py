"""Arithmetic in model outputs, evaluated without `eval`; and the two metrics, equal text and equal value.

Only numbers, brackets, + - * / // % ** and signs are known. Everything else, also what Python could compute (names,
calls, comparisons, tuples, text), has no value, and what has no value is never right.
"""

from __future__ import annotations

import ast
import math
import operator
import warnings
from typing import Callable, Literal, Sequence, Union, get_args

from scripts.common.settings import check_choice

Number = Union[int, float]

Metric = Literal["text", "equation"]
Blanks = Literal["compared", "ignored"]
UnknownWords = Literal["left_out", "wrong"]
METRICS: tuple[str, ...] = get_args(Metric)
BLANKS: tuple[str, ...] = get_args(Blanks)
UNKNOWN_WORDS: tuple[str, ...] = get_args(UnknownWords)
LONGEST = 500  # characters; longer outputs are no equations
LARGEST_POWER = 1000  # of exponents, so that 9 ** 9 ** 9 ends at once
LARGEST_INTEGER = 10**300  # of results of ** on integers; above, floats overflow anyway

_BINARY: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_UNARY: dict[type[ast.unaryop], Callable[[Number], Number]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}


class _NoValueError(ValueError):
    """The text is no expression of numbers."""


def evaluate(text: str) -> float:
    """Return the value of an arithmetic expression, or NaN if it is none, is not finite or divides by zero."""
    if len(text) > LONGEST:
        return math.nan
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python warns of odd literals such as 3and
            tree = ast.parse(text.strip(), mode="eval")
        value = float(_value(tree.body))
    except (_NoValueError, SyntaxError, ValueError, ArithmeticError, RecursionError, MemoryError):
        return math.nan
    return value if math.isfinite(value) else math.nan


def _value(node: ast.expr) -> Number:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return node.value  # type: ignore[return-value]
    if isinstance(node, ast.UnaryOp) and type(node.op) in _UNARY:
        return _UNARY[type(node.op)](_value(node.operand))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        return _power(_value(node.left), _value(node.right))
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return _BINARY[type(node.op)](_value(node.left), _value(node.right))
    raise _NoValueError


def _power(base: Number, exponent: Number) -> Number:
    if abs(exponent) > LARGEST_POWER or (base == 0 and exponent < 0):
        raise _NoValueError
    if isinstance(base, int) and isinstance(exponent, int) and exponent > 0 and base != 0:
        if exponent * math.log10(abs(base)) > math.log10(LARGEST_INTEGER):
            raise _NoValueError
        return base**exponent
    value = float(base) ** float(exponent)
    if isinstance(value, complex):  # a root of a negative number
        raise _NoValueError
    return value


def correct_rows(
    metric: str, predictions: Sequence[str], labels: Sequence[str], blanks: str = "compared"
) -> list[bool]:
    """Tell for each prediction whether it is right: equal text, or exactly equal values, as the released code compares.

    blanks: whether those around a text are `compared`, as in the released code, or `ignored`.
    """
    check_choice("metric", metric, METRICS)
    check_choice("blanks", blanks, BLANKS)
    if len(predictions) != len(labels):
        raise ValueError(f"{len(predictions)} predictions for {len(labels)} labels")
    if metric == "text" and blanks == "compared":
        return [prediction == label for prediction, label in zip(predictions, labels)]
    if metric == "text":
        return [prediction.strip() == label.strip() for prediction, label in zip(predictions, labels)]
    # NaN differs from NaN, so what has no value is never right
    return [evaluate(prediction) == evaluate(label) for prediction, label in zip(predictions, labels)]


def accuracy(metric: str, predictions: Sequence[str], labels: Sequence[str], blanks: str = "compared") -> float:
    """Return the share of right predictions (`correct_rows`), 0 to 1. Raises ValueError without rows."""
    rows = correct_rows(metric, predictions, labels, blanks)
    if not rows:
        raise ValueError("no rows to measure the accuracy of")
    return sum(rows) / len(rows)
