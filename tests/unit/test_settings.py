"""Settings of a step: JSON into a frozen dataclass."""

from __future__ import annotations

import dataclasses

import pytest

from scripts.common.errors import UserError
from scripts.common.settings import named_values, parse_json, parse_settings, settings_of


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


def test_faults_name_the_flag():
    for text, line in (
        ("{", "--method: broken JSON"),
        ("3", "--method: expected a JSON object"),
        ('{"a": 1}', "--method: "),
    ):
        with pytest.raises(UserError) as error:
            parse_settings(Train, text, "--method")
        assert str(error.value).startswith(line)


@pytest.mark.parametrize(
    "values, line",
    [
        ({"stepz": 3, "rate": 1}, "train: unknown key 'stepz' (did you mean 'steps'?)"),
        ({"steps": 3}, "train: key 'rate' is missing; expected steps, rate, names"),
        ([3], "train: expected keys and values, found list"),
        (None, "train: expected keys and values, found NoneType"),
    ],
)
def test_faults_of_nested_settings(values, line):
    assert settings_of(Train, {"steps": 3, "rate": 1}, "train") == Train(3, 1)
    with pytest.raises(UserError) as error:
        settings_of(Train, values, "train")
    assert str(error.value) == line


def test_json_of_a_flag():
    assert parse_json("--rule", '{"a": [1]}', dict) == {"a": [1]}
    assert parse_json("--rule", "[1]", list) == [1]
    for text, kind, line in (
        ("[", list, "--rule: broken JSON (Expecting value, column 2)"),
        ("{}", list, "--rule: expected a JSON list, found dict"),
        ("[]", dict, "--rule: expected a JSON object, found list"),
    ):
        with pytest.raises(UserError) as error:
            parse_json("--rule", text, kind)
        assert str(error.value) == line


def test_named_values():
    assert named_values("--sets", ["a=x", "b=y=z"]) == {"a": "x", "b": "y=z"}
    for given in (["a"], ["=x"], ["a="], ["a=x", "a=y"]):
        with pytest.raises(UserError, match=f"--sets {given[-1]}: expected NAME=FOLDER, each name once"):
            named_values("--sets", given, "NAME=FOLDER")
