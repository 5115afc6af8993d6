"""Faults of the workflow, told with the flags of `thrift`."""

from __future__ import annotations

import pytest

from scripts.own.faults import FLAGS, in_flags


@pytest.mark.parametrize(
    "fault,told",
    [
        ("delift.percent: 0 is too small; give more", "--keep: 0 is too small; give more"),
        ("compute.threads: 'two': expected a whole number", "--cores: 'two': expected a whole number"),
        ("delift.finetune.prompt.query: unknown key", "--prompt: unknown key"),
        ("own_models.yaml: own_model.hub: empty", "--model: own_model.hub: empty"),
        (
            "learning_rate: the loss became nan at step 3 of 9; lower learning_rate (0.5)",
            "--learning-rate: the loss became nan at step 3 of 9; lower learning_rate (0.5)",
        ),
        (
            "--settings: batch_tokens: 0; give a whole number of at least 1",
            "--model: 0; give a whole number of at least 1",
        ),
        (
            "--settings.batch_tokens: 0 is below the minimum 1; give a value from 1",
            "--model: 0 is below the minimum 1; give a value from 1",
        ),
        ("results/own/nuggets/own_pool.jsonl: row 3: has no answer", "POOL: row 3: has no answer"),
        ("--anchors: no answer is left; give others", "--goal: no answer is left; give others"),
    ],
)
def test_a_flag_in_place_of_a_key(fault: str, told: str) -> None:
    assert in_flags(fault) == told


def test_a_model_is_told_by_its_flag() -> None:
    models = {"tiny_1a2b": "--model", "/my models/encoder": "--embedder"}
    assert in_flags("tiny_1a2b: org/tiny: no such repository", models) == "--model: org/tiny: no such repository"
    assert (
        in_flags("/my models/encoder/config.json: broken", models)
        == "--embedder: /my models/encoder/config.json: broken"
    )
    assert in_flags("/my models/encoder: no weights", models) == "--embedder: no weights"


@pytest.mark.parametrize("fault", ["tier: 'x' is none of mini", "no word", "papers: unknown paper", ""])
def test_what_no_flag_decides_is_left_as_it_is(fault: str) -> None:
    assert in_flags(fault) is None


def test_every_flag_is_one_of_the_command() -> None:
    from scripts.own import comparing, writing
    from scripts.own.choosing import parser

    known = {
        name
        for built in (parser(), comparing.parser(), writing.parser())
        for action in built._actions
        for name in (*action.option_strings, action.metavar)
    }
    assert set(FLAGS.values()) <= known
