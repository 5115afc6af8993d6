"""Settings of a step: JSON into a frozen dataclass."""

from __future__ import annotations

import dataclasses

import pytest

from scripts.common.errors import UserError
from scripts.common.settings import parse_settings


@dataclasses.dataclass(frozen=True)
class Train:
    steps: int
    rate: float
    names: list = dataclasses.field(default_factory=list)


def test_parses_and_fills_in_defaults():
    assert parse_settings(Train, '{"rate": 0.5, "steps": 3}') == Train(3, 0.5, [])


def test_result_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        parse_settings(Train, '{"rate": 0.5, "steps": 3}').steps = 4


@pytest.mark.parametrize(
    "text, line",
    [
        ('{"stepz": 3, "rate": 1}', "--settings: unknown key 'stepz' (did you mean 'steps'?)"),
        ('{"steps": 3, "rate": 1, "qqq": 1}', "--settings: unknown key 'qqq'"),
        ('{"steps": 3}', "--settings: key 'rate' is missing; expected steps, rate, names"),
        ("[1]", "--settings: expected a JSON object, found list"),
        ('{"steps": }', "--settings: broken JSON (Expecting value, column 11)"),
    ],
)
def test_faults(text, line):
    with pytest.raises(UserError) as error:
        parse_settings(Train, text)
    assert str(error.value) == line
