"""Measures of an answer against a reference: hand-computed values and invariants."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from scripts.common.errors import UserError
from scripts.lm.text_metrics import bert_score, bleu, cosine_to_reference, match_f1, token_states, unit_rows
from tests.unit.lm_tiny import tiny

SIZES = {"max_tokens": 16, "batch_tokens": 32}


def test_bleu_of_equal_disjoint_and_partly_equal_texts() -> None:
    values = bleu(["a b c d", "x y z w", "a b c d"], ["a b c d", "a b c d", "a b c x"])
    assert values[0] == pytest.approx(1)
    assert values[1] < 0.1
    # precisions 3/4, 2/3, 1/2, and 1/2 of a smoothed count for the one 4-gram
    assert values[2] == pytest.approx(
        math.exp((math.log(3 / 4) + math.log(2 / 3) + math.log(1 / 2) + math.log(1 / 2)) / 4)
    )


def test_matching_by_hand() -> None:
    answer = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    reference = torch.tensor([[1.0, 0.0]])
    precision, recall = (1 + 0) / 2, 1.0
    assert match_f1(answer, reference) == pytest.approx(2 * precision * recall / (precision + recall))
    assert match_f1(reference, answer) == pytest.approx(match_f1(answer, reference))
    assert match_f1(answer[:0], reference) == 0.0


@pytest.mark.parametrize("kind", ["llama", "bert"])
def test_token_states_do_not_depend_on_the_batch(kind: str) -> None:
    loaded = tiny(kind)
    texts = ["w5 w6", "w7", "w8 w9 w10 w11 w12"]
    together = token_states(loaded, texts, **SIZES)
    for text, states in zip(texts, together):
        alone = token_states(loaded, [text], **SIZES)[0]
        assert states.shape[0] == len(text.split())
        assert torch.allclose(states, alone, atol=1e-5)
        assert torch.allclose(states.norm(dim=1), torch.ones(len(states)), atol=1e-5)


def test_bert_score_is_highest_for_the_same_text() -> None:
    loaded = tiny()
    same, other, empty = bert_score(loaded, ["w5 w6 w7", "w20 w21", ""], ["w5 w6 w7", "w5 w6 w7", "w5"], **SIZES)
    assert same == pytest.approx(1, abs=1e-6)
    assert other < same
    assert empty == 0.0


def test_cosine_of_embeddings() -> None:
    loaded = tiny()
    answers, references = ["w5 w6", "w7", "  "], ["w5 w6", "w20 w21", "w5"]
    same, other, empty = cosine_to_reference(loaded, answers, references, pooling="mean", **SIZES)
    assert same == pytest.approx(1)
    assert -1 <= other < 1
    assert empty == 0.0
    turned = cosine_to_reference(loaded, references[:2], answers[:2], pooling="mean", **SIZES)
    assert turned == pytest.approx([same, other])


def test_a_text_longer_than_the_window_is_refused() -> None:
    with pytest.raises(UserError, match="exceeds the model's window"):
        token_states(tiny(), ["w5"], max_tokens=1000, batch_tokens=8)


def test_unit_rows_keep_zeros() -> None:
    assert unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist() == [[0.6, 0.8], [0.0, 0.0]]
