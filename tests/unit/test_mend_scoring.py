"""Choosing among options and the metrics, by hand and by invariance."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import pytest
import torch

from scripts.common.errors import UserError
from scripts.lm.score import Scorer
from scripts.mend.demonstrations import join
from scripts.mend.scoring import Queries, accuracy, best_option, macro_f1, task_metrics
from tests.unit.lm_tiny import tiny
from tests.unit.mend_tiny import FORMAT, encoder, task_rows

GOLD = ["a", "a", "a", "b", "b", "c"]
PREDICTED = ["a", "a", "b", "b", "a", "b"]  # c is never predicted


def test_macro_f1_by_hand() -> None:
    # a: precision 2/3, recall 2/3 -> 2/3; b: precision 1/3, recall 1/2 -> 2/5; c: never predicted -> 0
    assert macro_f1(PREDICTED, GOLD) == pytest.approx((2 / 3 + 2 / 5 + 0) / 3)
    assert accuracy(PREDICTED, GOLD) == pytest.approx(3 / 6)
    assert macro_f1(["d", "a"], ["a", "a"]) == pytest.approx(2 / 3)  # a predicted class without gold is not averaged
    assert task_metrics(PREDICTED, GOLD, "accuracy")["score"] == pytest.approx(0.5)
    with pytest.raises(UserError, match="metric 'f1'"):
        task_metrics(PREDICTED, GOLD, "f1")


def test_ties_do_not_depend_on_the_order_of_options() -> None:
    assert best_option(["b", "a"], [1.0, 1.0 + 1e-8]) == "a"
    assert best_option(["a", "b"], [1.0 + 1e-8, 1.0]) == "a"
    assert best_option(["a", "b"], [0.0, 1.0]) == "b"


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
            assert example.predicted == known.ids(f" {about}")
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
