"""DELIFT's utility: equal to the plain computation for every architecture, truncation, the released scheme's quirks."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.common.errors import UserError
from scripts.delift.utility import UtilityScorer
from scripts.delift.utility_prompts import Encoder, Target, cut, released_limits
from scripts.lm.prompts import fill
from tests.unit import lm_tiny
from tests.unit.delift_tiny import (
    RELEASED_TOKENS,
    TEMPLATES,
    make_settings,
    plain_distance,
    plain_ids,
    plain_prompt,
    plain_utilities,
)
from tests.unit.nuggets_tiny import instruction_rows, tiny

TARGETS = instruction_rows(7, seed=1, prefix="target")
EXAMPLES = instruction_rows(5, seed=2, prefix="example")


def utilities(loaded, targets, examples, **changes) -> np.ndarray:
    scorer = UtilityScorer(loaded, targets, make_settings(**changes))
    return np.stack([scorer.column(scorer.encoder.example(row)) for row in examples], axis=1)


def test_equals_the_plain_computation():
    found = utilities(tiny(), TARGETS, EXAMPLES)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, plain_utilities(tiny(), TARGETS, EXAMPLES), atol=1e-5)


@pytest.mark.parametrize("kind", ["gpt2", "opt", "llama"])
def test_equals_the_plain_computation_for_every_architecture(kind):
    loaded, rng = lm_tiny.tiny(kind), random.Random(0)
    rows = [
        {
            "id": str(i),
            "instruction": lm_tiny.words(3, rng),
            "input": "",
            "output": lm_tiny.words(rng.randint(1, 4), rng),
        }
        for i in range(4)
    ]
    np.testing.assert_allclose(utilities(loaded, rows, rows), plain_utilities(loaded, rows, rows), atol=1e-5)


@given(seed=st.integers(0, 1000), batch_tokens=st.sampled_from([8, 40, 4096]))
@settings(max_examples=8, deadline=None)
def test_does_not_depend_on_the_batch(seed, batch_tokens):
    rows = instruction_rows(4, seed)
    usual = utilities(tiny(), rows, rows[:2])
    np.testing.assert_allclose(utilities(tiny(), rows, rows[:2], batch_tokens=batch_tokens), usual, atol=1e-6)


def test_distances_lie_between_0_and_1_and_are_0_for_a_sure_model():
    scorer = UtilityScorer(tiny(), TARGETS, make_settings())
    assert ((scorer.distances > 0) & (scorer.distances < 1)).all()
    sure = lm_tiny.tiny("llama")
    with torch.no_grad():  # the end token, whatever came before
        head = sure.model.get_output_embeddings()
        head.weight.zero_()
        head.bias = torch.nn.Parameter(torch.full((head.weight.shape[0],), -100.0))
        head.bias[lm_tiny.EOS] = 100.0
    rows = [{"id": "0", "instruction": "w1 w2", "input": "", "output": ""}]
    certain = UtilityScorer(sure, rows, make_settings())
    assert certain.n_tokens.tolist() == [1]
    assert certain.distances.tolist() == [0.0]


def test_utility_is_not_symmetric():
    found = utilities(tiny(), TARGETS, TARGETS)
    assert np.abs(found - found.T).max() > 1e-3


def test_exponential():
    plain = plain_utilities(tiny(), TARGETS, EXAMPLES)
    np.testing.assert_allclose(utilities(tiny(), TARGETS, EXAMPLES, distance="exponential"), np.exp(plain), atol=1e-5)


def test_truncation_cuts_the_end_and_an_empty_rest_is_no_difference():
    lengths = [len(plain_ids(tiny(), plain_prompt(row, target), target)[0]) for row in EXAMPLES for target in TARGETS]
    limit = int(np.median(lengths)) - 4
    found = utilities(tiny(), TARGETS, EXAMPLES, max_tokens=limit)
    plain = plain_utilities(tiny(), TARGETS, EXAMPLES, limit)
    begins = np.array([[plain_ids(tiny(), plain_prompt(e, t), t)[1] for e in EXAMPLES] for t in TARGETS])
    left = begins < limit
    assert left.any()
    assert not left.all()
    np.testing.assert_allclose(found[left], plain[left], atol=1e-5)
    assert (found[~left] == 0).all()
    scorer = UtilityScorer(tiny(), TARGETS, make_settings(max_tokens=limit))
    counts = scorer.counts([scorer.encoder.example(row) for row in EXAMPLES])
    assert counts["n_pairs"] == 35
    assert counts["n_pairs_empty"] == int((~left).sum())
    assert counts["n_pairs_truncated"] == sum(length > limit for length in lengths)


def test_an_example_longer_than_the_window_changes_nothing():
    long = {"id": "x", "instruction": " ".join(["w1"] * 200), "input": "", "output": "w2"}
    assert utilities(tiny(), TARGETS, [long]).tolist() == [[0.0]] * 7
    as_released = utilities(tiny(), TARGETS, [long], released_truncation=True, released_batch=100)
    scorer = UtilityScorer(tiny(), TARGETS, make_settings(released_truncation=True, released_batch=100))
    np.testing.assert_allclose(as_released[:, 0], scorer.distances, atol=1e-6)


def test_released_truncation_equals_the_released_scheme():
    """Batches of targets sorted by length, each cut at its longest without the two end tokens."""
    loaded, batch = tiny(), 3
    end = 2  # end-of-text tokens that the released length leaves out

    def limits(example):
        ids = [plain_ids(loaded, plain_prompt(example, target), target)[0] for target in TARGETS]
        alone = [len(plain_ids(loaded, plain_prompt(None, target), target)[0]) for target in TARGETS]
        order = np.argsort(alone, kind="stable")
        result = np.zeros(len(TARGETS), dtype=int)
        for rows in np.array_split(order, -(-len(TARGETS) // batch)):
            result[rows] = max(len(ids[row]) for row in rows) - end
        return result

    def distances(example):
        return [
            plain_distance(loaded, *plain_ids(loaded, plain_prompt(example, target), target), limit)
            for target, limit in zip(TARGETS, limits(example))
        ]

    expected = np.array(distances(None))[:, None] - np.array([distances(row) for row in EXAMPLES]).T
    found = utilities(loaded, TARGETS, EXAMPLES, released_truncation=True, released_batch=batch)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(found - utilities(loaded, TARGETS, EXAMPLES)).max() > 1e-3


def test_released_limits_by_hand():
    targets = [Target((0,) * a, (0,) * (a + 1), (0,) * r) for a, r in ((5, 3), (2, 2), (9, 4), (3, 3))]
    alone, behind = released_limits(targets, 2, 2)  # batches by length: (4, 6) and (8, 13)
    assert alone.tolist() == [11, 4, 11, 4]
    assert behind.tolist() == [12, 5, 12, 5]


def test_without_end_tokens_an_empty_response_has_no_utility():
    rows = [*TARGETS[:2], {**TARGETS[2], "output": " "}]
    tokens = {"before": "bos", "between": "none", "after": "none"}
    scorer = UtilityScorer(tiny(), rows, make_settings(special_tokens=tokens))
    assert scorer.n_tokens[2] == 0
    assert (scorer.n_tokens[:2] > 0).all()
    assert scorer.column(scorer.encoder.example(EXAMPLES[0]))[2] == 0.0
    assert scorer.targets[0].alone[0] == tiny().tokenizer.bos_token_id


def test_cut_takes_off_the_end():
    assert cut((1, 2), (3, 4), 9) == ((1, 2), (3, 4))
    assert cut((1, 2), (3, 4), 3) == ((1, 2), (3,))
    assert cut((1, 2), (3, 4), 1) == ((1,), ())
    assert cut((1, 2), (3, 4), -1) == ((), ())


def test_braces_in_the_data_are_text():
    assert fill("{prompt} {response}", prompt="{response}", response="{prompt}") == "{response} {prompt}"
    assert fill("{prompt} {else}", prompt="a") == "a {else}"


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"distance": "euclid"}, "did you mean 'euclidean'"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"templates": {"alone": "{prompt}", "query": "{prompt}"}}, "templates.example: is missing; add it"),
        ({"templates": {**TEMPLATES, "example": "{prompt}"}}, "has no place {response}"),
        ({"templates": {**TEMPLATES, "queries": "x"}}, "did you mean 'query'"),
        ({"special_tokens": {**RELEASED_TOKENS, "after": "bos"}}, "special_tokens.after: 'bos' is not allowed"),
        ({"special_tokens": {**RELEASED_TOKENS, "behind": "eos"}}, "special_tokens.behind: unknown key"),
    ],
)
def test_bad_settings(changes, message):
    with pytest.raises(UserError, match=message):
        UtilityScorer(tiny(), TARGETS, make_settings(**changes))


def test_a_token_across_the_seam_is_refused():
    loaded = lm_tiny.tiny("llama")  # words end at white space only: "w2" + "w3" would be one word
    templates = {"alone": "{prompt}", "example": "{prompt} {response}", "query": "{prompt}"}
    prompt = {"with_input": "{instruction} {input}", "without_input": "{instruction}"}
    encoder = Encoder(loaded.tokenizer, make_settings(prompt=prompt, templates=templates))
    row = {"id": "0", "instruction": "w1", "input": "", "output": "w2"}
    with pytest.raises(UserError, match="lies across the end of 'example'"):
        encoder.example(row)


def test_missing_special_token():
    with pytest.raises(UserError, match="tokenizer has no bos token"):
        Encoder(lm_tiny.tokenizer(), make_settings(special_tokens={**RELEASED_TOKENS, "before": "bos"}))
