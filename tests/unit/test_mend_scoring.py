"""Choosing among options and the metrics, by hand and by invariance."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import pytest
import torch

from scripts.common.errors import UserError
from scripts.lm.score import Scorer
from scripts.mend.demonstrations import PromptFormat, join, join_for_llm
from scripts.mend.scoring import Queries, accuracy, best_option, macro_f1, task_metrics
from tests.unit.lm_tiny import tiny
from tests.unit.mend_tiny import FORMAT, encoder, task_rows

GOLD = ["a", "a", "a", "b", "b", "c"]
PREDICTED = ["a", "a", "b", "b", "a", "b"]  # c is never predicted


def test_macro_f1_by_hand() -> None:
    # a: precision 2/3, recall 2/3 -> 2/3; b: precision 1/3, recall 1/2 -> 2/5; c: never predicted -> 0
    for kind in ("union", "gold"):
        assert macro_f1(PREDICTED, GOLD, kind) == pytest.approx((2 / 3 + 2 / 5 + 0) / 3)
    assert accuracy(PREDICTED, GOLD) == pytest.approx(3 / 6)
    assert task_metrics(PREDICTED, GOLD, "accuracy")["score"] == pytest.approx(0.5)
    with pytest.raises(UserError, match="f1: unknown value 'macro'"):
        macro_f1(PREDICTED, GOLD, "macro")
    with pytest.raises(UserError, match="metric 'f1'"):
        task_metrics(PREDICTED, GOLD, "f1")


@pytest.mark.parametrize(
    ("predicted", "gold", "union", "only_gold"),
    [
        ("010", "002", 1 / 6, 1 / 4),  # F1: 0 1/2, 1 0, 2 0
        ("da", "aa", 1 / 3, 2 / 3),
        ("ab", "ab", 1.0, 1.0),
        ("bbb", "aaa", 0.0, 0.0),
    ],
)
def test_macro_f1_over_right_and_predicted_or_over_right_classes(
    predicted: str, gold: str, union: float, only_gold: float
) -> None:
    assert macro_f1(list(predicted), list(gold), "union") == pytest.approx(union)
    assert macro_f1(list(predicted), list(gold), "gold") == pytest.approx(only_gold)
    assert task_metrics(list(predicted), list(gold), "macro_f1", "gold")["score"] == pytest.approx(only_gold)
    assert task_metrics(list(predicted), list(gold), "macro_f1")["score"] == pytest.approx(union)


def test_macro_f1_over_the_union_is_scikit_learns() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = random.Random(0)
    for _ in range(30):
        gold, predicted = ([rng.choice("abcde") for _ in range(9)] for _ in range(2))
        expected = metrics.f1_score(gold, predicted, average="macro", zero_division=0)
        assert macro_f1(predicted, gold, "union") == pytest.approx(expected)


def test_of_equal_options_the_rows_first_or_the_alphabets_first_is_the_answer() -> None:
    assert best_option(["b", "a"], [1.0, 1.0 + 1e-8]) == "b"
    assert best_option(["b", "a"], [1.0, 1.0 + 1e-8], "alphabetical") == "a"
    assert best_option(["a", "b"], [1.0 + 1e-8, 1.0], "alphabetical") == "a"
    for ties in ("first", "alphabetical"):
        assert best_option(["a", "b"], [0.0, 1.0], ties) == "b"
    with pytest.raises(UserError, match="ties: unknown value 'last'"):
        best_option(["a", "b"], [0.0, 1.0], "last")


@pytest.mark.parametrize("method", ["direct", "channel"])
def test_scores_equal_one_plain_pass_per_option(method: str) -> None:
    loaded, known = tiny("gpt2"), encoder(dataclasses.replace(FORMAT, method=method))
    rows = [{**row, "options": ["w50 w3", "w51", "w52 w1 w7"], "output": "w51"} for row in task_rows("t", 3, 0)]
    demonstrations = join([known.example(row) for row in task_rows("t", 3, 1)], 30, channel=method == "channel").ids
    scorer = Scorer(loaded.model)
    found = Queries(scorer, known, rows, "f").scores(scorer.prefill(demonstrations))
    for row, values in zip(rows, found):
        for option, value in zip(row["options"], values):
            example = known.query(row, option)
            about = option if method == "direct" else row["input"]  # what is predicted
            assert example.predicted == known.ids(f" {about}" if method == "direct" else about)
            ids = [*demonstrations, *example.query, *example.predicted]
            with torch.no_grad():
                logprobs = loaded.model(torch.tensor([ids])).logits[0].double().log_softmax(1)
            start = len(ids) - len(example.predicted)
            expected = np.mean([float(logprobs[at - 1, ids[at]]) for at in range(start, len(ids))])
            assert value == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("kind", ["gpt2", "t5"])
def test_answers_do_not_depend_on_option_order_batch_or_prefix_reuse(kind: str) -> None:
    loaded, known = tiny(kind), encoder()
    rows = task_rows("t", 12, 0, labels=[f"w{i}" for i in range(3, 15)])
    demonstrations = join([known.example(row) for row in task_rows("t", 3, 1)], 30).ids
    scorer = Scorer(loaded.model, batch_tokens=512)
    prefix = scorer.prefill(demonstrations)
    expected = Queries(scorer, known, rows, "f").answers(prefix)
    assert len(set(expected)) > 1
    rng = random.Random(0)
    turned = [{**row, "options": rng.sample(row["options"], 12)} for row in rows]
    small = Scorer(loaded.model, batch_tokens=5)
    assert Queries(scorer, known, turned, "f").answers(prefix) == expected
    assert Queries(small, known, rows, "f").answers(demonstrations) == expected
    alone = [Queries(scorer, known, [row], "f").answers(demonstrations)[0] for row in rows]
    assert alone == expected


def test_rows_without_options_are_refused() -> None:
    rows = [{"task": "free", "input": "w1", "output": "w2", "options": []}]
    with pytest.raises(UserError, match=r"f:1: task free has no options"):
        Queries(Scorer(tiny().model), encoder(), rows, "f")


def plain_mean(model: torch.nn.Module, before: tuple[int, ...], answer: tuple[int, ...]) -> float:
    """Return the mean log-probability of an answer by one plain pass."""
    ids = [*before, *answer]
    with torch.no_grad():
        logprobs = model(torch.tensor([ids])).logits[0].double().log_softmax(1)
    return float(np.mean([float(logprobs[at - 1, ids[at]]) for at in range(len(before), len(ids))]))


def test_metaicl_cuts_demonstrations_from_the_left_for_each_option() -> None:
    form = PromptFormat("direct", "", "", True, 14, 30, 30, room="metaicl")
    loaded, known = tiny("gpt2"), encoder(form)
    rows = [{**row, "options": ["w50 w3 w4 w5", "w51"], "output": "w51"} for row in task_rows("t", 3, 0)]
    shown = join_for_llm(known.examples(task_rows("t", 9, 1)), form).ids
    assert len(shown) == 36  # 9 demonstrations of 4 tokens; 30 are read, with query and option
    scorer = Scorer(loaded.model)
    base = Queries(scorer, known, rows, "f")
    assert base.behind(shown[:20]) is base
    asked = base.behind(shown)
    assert asked.whole
    for row, values in zip(rows, asked.scores(None)):
        query = known.ids(row["input"])
        for option, value in zip(row["options"], values):
            answer = known.ids(f" {option}")
            kept = shown[len(shown) - (30 - len(query) - len(answer)) :]
            assert len(kept) + len(query) + len(answer) == 30
            assert value == pytest.approx(plain_mean(loaded.model, (*kept, *query), answer), abs=1e-5)


def test_mend_cuts_options_behind_long_demonstrations() -> None:
    form = PromptFormat("direct", "", "", True, 14, 40, 40)
    loaded, known = tiny("gpt2"), encoder(form)
    rows = [{**row, "options": ["w50 w3 w4 w5 w6 w7 w8", "w51"], "output": "w51"} for row in task_rows("t", 3, 0)]
    shown = join_for_llm(known.examples(task_rows("t", 9, 1)), form).ids
    assert len(shown) == 24  # below 40 - 14 - 1: six of four tokens
    scorer = Scorer(loaded.model)
    base = Queries(scorer, known, rows, "f")
    asked = base.behind(shown)
    assert not asked.whole
    assert base.behind(shown[:23]) is base
    assert asked is not base
    for row, values in zip(rows, asked.scores(scorer.prefill(shown))):
        query, answer = known.ids(row["input"]), known.ids(" w50 w3 w4 w5 w6 w7 w8")
        assert len(answer) == 7
        cut = answer[: 40 - 7 - len(query) - 24]
        assert len(cut) == 6
        assert values[0] == pytest.approx(plain_mean(loaded.model, (*shown, *query), cut), abs=1e-5)
