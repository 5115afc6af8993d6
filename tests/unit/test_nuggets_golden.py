"""Golden scores against a plain pair-by-pair computation, and what must not change them."""

from __future__ import annotations

import copy
import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.common.errors import UserError
from scripts.nuggets.golden import (
    GoldenScorer,
    add_pad_word,
    describe_anchors,
    summarise,
    summarise_skipped,
)
from tests.unit.nuggets_tiny import instruction_rows, plain_scores, score_settings, tiny

ANCHORS = instruction_rows(12, seed=1, prefix="anchor")
CANDIDATES = instruction_rows(8, seed=2, prefix="candidate")
EMPTY = {"id": "empty", "instruction": "w1 w2 w3", "input": "", "output": ""}
NATS_PER_TOKEN = 1e-4


def one_shot(scorer: GoldenScorer, rows: list[dict[str, str]]) -> np.ndarray:
    """Return the (n, K) sums of candidates that all fit."""
    encoded = [scorer.encode(row).ids for row in rows]
    assert None not in encoded
    return np.stack([scorer.one_shot(ids) for ids in encoded])


def golden(scorer: GoldenScorer, rows: list[dict[str, str]]) -> list[float]:
    """Return the golden scores of candidates."""
    settings = scorer.settings
    return [
        summarise(scorer.zero_shot, sums, scorer.n_tokens, settings.racing)["golden_score"]
        for sums in one_shot(scorer, rows)
    ]


def close(ours: np.ndarray, plain: np.ndarray, n_tokens: np.ndarray, tolerance: float = NATS_PER_TOKEN) -> None:
    """Assert that sums agree within a tolerance per answer token."""
    assert (np.abs(ours - plain) <= tolerance * np.maximum(n_tokens, 1)).all()


@pytest.mark.parametrize("bos", [True, False])
def test_sums_equal_plain_concatenation_without_separator(bos: bool) -> None:
    loaded = tiny(bos=bos)
    scorer = GoldenScorer(loaded, ANCHORS, score_settings())
    zero, one = plain_scores(loaded, CANDIDATES, ANCHORS)
    close(scorer.zero_shot, zero, scorer.n_tokens)
    ours = one_shot(scorer, CANDIDATES)
    close(ours, one, scorer.n_tokens)
    assert np.abs(one - zero).max() > 0.1  # the candidate in front does change the answers' likelihood
    improved = (one > zero).sum(axis=1)
    assert golden(scorer, CANDIDATES) == [n / len(ANCHORS) for n in improved]
    assert len(set(improved)) > 1


def test_bos_both_puts_the_token_before_the_zero_shot_query_only() -> None:
    paper, both = (GoldenScorer(tiny(), ANCHORS, score_settings(bos=bos)) for bos in ("paper", "both"))
    expected = [both._scorer.score([2], both._packs[0]).logprob_sums]
    close(both.zero_shot, expected[0], both.n_tokens)
    assert np.abs(both.zero_shot - paper.zero_shot).max() > 0.01
    np.testing.assert_array_equal(one_shot(paper, CANDIDATES), one_shot(both, CANDIDATES))


def test_separator_changes_the_one_shot_sums_only() -> None:
    none, bar = (GoldenScorer(tiny(), ANCHORS, score_settings(separator=text)) for text in ("", "|"))
    np.testing.assert_array_equal(none.zero_shot, bar.zero_shot)
    assert np.abs(one_shot(none, CANDIDATES) - one_shot(bar, CANDIDATES)).max() > 0.01


@pytest.mark.parametrize("batch_tokens", [1, 40, 4096])
def test_batch_size_changes_nothing(batch_tokens: int) -> None:
    loaded = tiny()
    usual = GoldenScorer(loaded, ANCHORS, score_settings())
    other = GoldenScorer(loaded, ANCHORS, score_settings(batch_tokens=batch_tokens))
    close(usual.zero_shot, other.zero_shot, usual.n_tokens, 1e-5)
    close(one_shot(usual, CANDIDATES), one_shot(other, CANDIDATES), usual.n_tokens, 1e-5)
    assert golden(usual, CANDIDATES) == golden(other, CANDIDATES)


def test_order_of_candidates_and_anchors_changes_nothing() -> None:
    loaded = tiny()
    usual = golden(GoldenScorer(loaded, ANCHORS, score_settings()), CANDIDATES)
    order = random.Random(0).sample(range(len(CANDIDATES)), len(CANDIDATES))
    shuffled_anchors = random.Random(1).sample(ANCHORS, len(ANCHORS))
    shuffled = golden(GoldenScorer(loaded, shuffled_anchors, score_settings()), [CANDIDATES[i] for i in order])
    assert shuffled == [usual[i] for i in order]


@pytest.mark.parametrize("empty_at", [0, 5, 12])
def test_anchors_with_an_empty_answer_never_count(empty_at: int) -> None:
    loaded = tiny()
    usual = golden(GoldenScorer(loaded, ANCHORS, score_settings()), CANDIDATES)
    with_empty = [*ANCHORS[:empty_at], EMPTY, *ANCHORS[empty_at:]]
    scorer = GoldenScorer(loaded, with_empty, score_settings())
    assert scorer.zero_shot[empty_at] == 0
    assert (one_shot(scorer, CANDIDATES)[:, empty_at] == 0).all()
    for before, after in zip(usual, golden(scorer, CANDIDATES)):
        assert round(after * 13) == round(before * 12)


def test_only_empty_answers_are_an_error() -> None:
    """All scores would be 0, and the "best" rows the first of the file."""
    with pytest.raises(UserError, match=r"not one of 2 has an answer to score \(2 are empty, 0 lost to anchor_tokens"):
        GoldenScorer(tiny(), [EMPTY, EMPTY], score_settings())
    with pytest.raises(UserError, match=r"not one of 13 has an answer to score \(1 are empty, 12 lost .* 2\); give"):
        GoldenScorer(tiny(), [*ANCHORS, EMPTY], score_settings(anchor_tokens=2))


def test_cut_anchors_are_scored_on_what_is_left_and_reported() -> None:
    loaded = tiny()
    n_tokens = sorted(anchor.n_tokens for anchor in GoldenScorer(loaded, ANCHORS, score_settings()).anchors)
    limit = n_tokens[6]
    scorer = GoldenScorer(loaded, ANCHORS, score_settings(anchor_tokens=limit))
    whole = GoldenScorer(loaded, ANCHORS, score_settings())
    n_cut = sum(n > limit for n in n_tokens)
    assert n_cut > 0
    n_empty = sum(len(anchor.query_ids) >= limit for anchor in scorer.anchors)
    assert f"12 anchors, {sum(min(n, limit) for n in n_tokens)} tokens" in describe_anchors(scorer.anchors)
    assert f"{n_cut - n_empty} have their answer cut, {n_empty} have no answer left" in describe_anchors(scorer.anchors)
    for cut, full, n in zip(scorer.zero_shot, whole.zero_shot, (anchor.cut for anchor in scorer.anchors)):
        assert (cut > full) if n else (abs(cut - full) < 1e-4)  # fewer tokens, fewer nats lost


def test_kv_iter_with_step_size_0_equals_one_reading() -> None:
    loaded = tiny()
    once = one_shot(GoldenScorer(loaded, ANCHORS, score_settings()), CANDIDATES)
    still = score_settings(kv_iter=3).model_copy(update={"step_size": 0.0})  # which the config refuses
    thrice = one_shot(GoldenScorer(loaded, ANCHORS, still), CANDIDATES)
    np.testing.assert_array_equal(once, thrice)
    moved = one_shot(GoldenScorer(loaded, ANCHORS, score_settings(kv_iter=3, step_size=0.1)), CANDIDATES)
    assert np.abs(once - moved).max() > 0.01


@pytest.mark.parametrize("threshold", [0.25, 0.5, 0.75])
def test_racing_decides_as_the_whole_score_does(threshold: float) -> None:
    loaded = tiny()
    anchors = instruction_rows(40, seed=7, prefix="anchor")
    usual = golden(GoldenScorer(loaded, anchors, score_settings()), CANDIDATES)
    racing = GoldenScorer(loaded, anchors, score_settings(racing=threshold))
    n_evaluated = 0
    for score, sums in zip(usual, one_shot(racing, CANDIDATES)):
        row = summarise(racing.zero_shot, sums, racing.n_tokens, threshold)
        assert (row["decided"] == "above") == (score > threshold)
        assert (row["golden_score"] > threshold) == (score > threshold)
        assert row["golden_score"] <= score
        assert row["n_evaluated"] == np.isfinite(sums).sum()
        n_evaluated += row["n_evaluated"]
    assert n_evaluated < len(anchors) * len(CANDIDATES)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 20), st.integers(0, 1000))
def test_scores_are_multiples_of_one_over_k_in_range(n_anchors: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    zero, one = (-rng.integers(0, 4, n_anchors).astype(np.float32) for _ in range(2))
    row = summarise(zero, one, rng.integers(0, 5, n_anchors), None)
    assert 0 <= row["golden_score"] <= 1
    assert row["golden_score"] == row["n_improved"] / n_anchors
    assert row["n_improved"] == sum(after > before for before, after in zip(zero, one))


def test_equal_sums_do_not_count() -> None:
    zero = np.array([-1.0, -2.0, -3.0], np.float32)
    row = summarise(zero, np.array([-1.0, -1.5, -3.5], np.float32), np.array([1, 2, 4]), None)
    assert row == {
        "golden_score": 1 / 3,
        "n_improved": 1,
        "n_anchors": 3,
        "mean_gain_nats": (0.0 + 0.25 - 0.125) / 3,
        "n_evaluated": 3,
        "decided": None,
    }


def test_skipped_candidates_have_no_score() -> None:
    loaded = tiny()
    long = {**CANDIDATES[0], "output": "w1 " * 120}
    scorer = GoldenScorer(loaded, ANCHORS, score_settings(too_long="skip"))
    assert scorer.encode(long).ids is None
    assert summarise_skipped(12)["golden_score"] is None
    with pytest.raises(UserError, match="candidate 'candidate0'"):
        GoldenScorer(loaded, ANCHORS, score_settings()).encode(long)


def test_second_readings_need_room_for_both() -> None:
    loaded = tiny()
    row = {**CANDIDATES[0], "output": "w1 " * 60}  # fits beside an anchor, but not twice
    assert GoldenScorer(loaded, ANCHORS, score_settings()).encode(row).ids is not None
    truncating = GoldenScorer(loaded, ANCHORS, score_settings(kv_iter=2, too_long="truncate"))
    ids = truncating.encode(row).ids
    assert ids is not None
    assert len(ids) == loaded.window // 2
    assert np.isfinite(truncating.one_shot(ids)).all()


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"racing": 1.2}, "racing: 1.2 is above the maximum 1; give a value from 0 up to 1"),
        ({"kv_iter": 0}, "kv_iter: 0 is below the minimum 1"),
        ({"kv_iter": 1.5}, "kv_iter: expected a whole number, found 1.5"),
        ({"momentum": -1}, "momentum: -1 is below the minimum 0"),
        ({"step_size": float("nan")}, "step_size: Input should be a finite number, found nan"),
        ({"too_long": "cut"}, "too_long: 'cut' is not allowed; choose one of error, truncate, skip"),
        ({"bos": "none"}, "bos: 'none' is not allowed"),
        ({"batch_tokens": 0}, "batch_tokens: 0 is below the minimum 1"),
        ({"prompt": {"with_input": "x"}}, r"prompt.without_input: is missing; add it .* \(and 1 more fault\)"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        score_settings(**changes)


def test_the_pad_word_takes_its_share_of_every_probability():
    """A further word whose logit is the mean of all others', as its output vector is the mean of theirs."""
    rows = instruction_rows(4, seed=3)
    plain, padded = tiny(), copy.deepcopy(tiny())
    n_words = len(plain.tokenizer)
    add_pad_word(padded)
    assert padded.model.get_output_embeddings().weight.shape[0] == n_words + 1
    scorer = GoldenScorer(padded, rows, score_settings())
    for anchor, found in zip(scorer.anchors, scorer.zero_shot):
        ids = torch.tensor([[*anchor.query_ids, *anchor.answer_ids]])
        with torch.inference_mode():
            logits = plain.model(ids).logits[0, :, :n_words].double()
        wide = torch.cat([logits, logits.mean(dim=1, keepdim=True)], dim=1).log_softmax(dim=1)
        start = len(anchor.query_ids)
        whole = sum(float(wide[at - 1, ids[0, at]]) for at in range(start, ids.shape[1]))
        assert found == pytest.approx(whole, abs=1e-4)
    bare = GoldenScorer(tiny(), rows, score_settings())
    assert (scorer.zero_shot < bare.zero_shot).all()
    assert plain.model.get_output_embeddings().weight.shape[0] == n_words  # only where it is asked for
