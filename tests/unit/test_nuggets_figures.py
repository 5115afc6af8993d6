"""What the figures draw: curves, counts, quantiles and wrapped text against hand-computed values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.common.measured import Measured
from scripts.nuggets.plot_anchor_sizes import by_size, quantile
from scripts.nuggets.plot_cases import card_lines, text_width, wrap
from scripts.nuggets.plot_scores import score_curve, threshold_counts
from tests.unit.nuggets_eval import value


def test_curve_counts_examples_up_to_each_score():
    assert score_curve([0.5, 0.25, 0.5, 1.0]) == [(0.25, 1), (0.5, 3), (1.0, 4)]


def test_counts_are_those_of_the_pool_and_the_model():
    rows = [
        {"setting": s, "model": m, "metric": "n_examples", "method": t, "value": v}
        for s, m, t, v in (
            ("alpaca", "llama_7b", "le_0.85", "51383"),
            ("alpaca", "llama_7b", "le_0.5", "9549"),
            ("alpaca", "tiny", "le_0.5", "1"),
            ("other", "llama_7b", "le_0.5", "2"),
        )
    ]
    assert threshold_counts(rows, "alpaca", "llama_7b") == [(0.5, 9549), (0.85, 51383)]
    assert threshold_counts(rows, "mini_pool", "mini_causal") == []


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=20), st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]))
def test_quantiles_equal_numpy(values, share):
    assert quantile(values, share) == pytest.approx(float(np.quantile(values, share)), abs=1e-9)


def test_draws_are_grouped_by_size_in_rising_order():
    drawn = ((10, 0.9), (5, 0.7), (10, 0.8))
    rows = [
        value("anchor_sizes/kmeans_4", f"n_anchors_{size}", "golden_score", draw, "auc", number)
        for draw, (size, number) in enumerate(drawn)
    ]
    assert by_size(Measured(rows), "auc") == {5: [0.7], 10: [0.9, 0.8]}
    assert by_size(Measured(rows), "spearman_with_all_anchors") == {}


@settings(deadline=None, max_examples=25)
@given(st.text(alphabet="abW $_\\{}\n", max_size=120))
def test_wrapped_lines_fit_and_lose_nothing(text):
    lines = wrap(text, 1.0, 100)
    assert all(text_width(line) <= 1.0 for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_long_texts_end_in_an_ellipsis():
    lines = wrap("word " * 200, 1.5, 3)
    assert len(lines) == 3
    assert lines[-1].endswith(" …")
    assert all(text_width(line) <= 1.5 for line in lines)
    assert wrap("short", 1.5, 3) == ["short"]
    assert wrap(" \n ", 1.5, 3) == []


def test_cards_name_quality_and_empty_answers():
    row = {"golden_score": "0.5", "rank": "1200", "instruction": "do", "input": " ", "output": "", "quality": "empty"}
    assert card_lines(row, 3.0) == [
        ("head", "score 0.500, rank 1,200, known fault: empty"),
        ("name", "Instruction"),
        ("text", "do"),
        ("name", "Response"),
        ("empty", "(empty)"),
    ]
    assert card_lines({**row, "quality": "good"}, 3.0)[0][1].endswith("known to be good")
    assert card_lines({k: v for k, v in row.items() if k != "quality"}, 3.0)[0][1] == "score 0.500, rank 1,200"
