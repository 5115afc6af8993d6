"""How demonstrations become tokens: parts, separators, cutting, joining, perturbing."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.common.errors import UserError
from scripts.mend import demonstrations
from scripts.mend.demonstrations import Encoder, Example, cut_example, join, parse_format, parse_formats, split_groups
from scripts.mend.perturbations import perturb
from tests.unit.mend_tiny import FORMAT, encoder, format_json, task_rows

ROW = {"task": "t", "input": "w1 w2", "output": "w50", "options": ["w50", "w51"]}


class Letters:
    """A tokenizer that keeps every character, blanks included: it shows what text was tokenised."""

    def __call__(self, text: Any, add_special_tokens: bool = True) -> dict[str, Any]:
        assert not add_special_tokens
        if isinstance(text, str):
            return {"input_ids": [ord(letter) for letter in text]}
        return {"input_ids": [[ord(letter) for letter in one] for one in text]}


def text_of(ids: tuple[int, ...]) -> str:
    return "".join(map(chr, ids))


@pytest.mark.parametrize(
    ("changes", "demonstration", "query"),
    [
        ({}, "in A out B", "in A"),
        ({"method": "channel"}, " out A in B", " out A"),
        ({"output_space": False, "after_input": "\n", "after_output": "\n\n"}, "in\nout\n\n", "in\n"),
        ({"after_input": "", "after_output": ""}, "in out", "in"),
    ],
)
def test_parts_and_separators(changes: dict[str, Any], demonstration: str, query: str) -> None:
    form = dataclasses.replace(FORMAT, max_example_tokens=30, **changes)
    known = Encoder(Letters(), form)
    row = {"task": "t", "input": "in", "output": "out", "options": []}
    assert text_of(known.example(row).ids) == demonstration
    assert text_of(known.query(row).query) == query
    assert known.query(row).after == ()


def test_learning_rows_ahead_changes_no_token() -> None:
    plain, ahead = encoder(), encoder()
    rows = task_rows("t", 6, 0)
    ahead.learn(rows)
    assert [plain.example(row) for row in rows] == [ahead.example(row) for row in rows]


def test_forgotten_tokens_are_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, rows = encoder(), task_rows("t", 9, 0)
    expected = [plain.example(row) for row in rows]
    monkeypatch.setattr(demonstrations, "MOST_KNOWN", 4)
    forgetful = encoder()
    forgetful.learn(rows)
    for row, example in zip(rows, expected):
        assert forgetful.example(row) == example
        assert len(forgetful._known) <= 4


@given(st.integers(0, 12), st.integers(0, 2), st.integers(1, 12), st.integers(0, 2), st.integers(2, 12))
def test_a_cut_example_fits_and_keeps_its_output(given_: int, between: int, predicted: int, after: int, limit: int):
    example = Example(tuple(range(given_)), (90,) * between, tuple(range(50, 50 + predicted)), (91,) * after)
    cut = cut_example(example, limit)
    fixed = between + after
    assert len(cut.ids) <= max(limit, fixed + 1)
    assert cut.predicted == example.predicted[: max(1, limit - fixed)]
    assert cut.given == example.given[: len(cut.given)]
    if len(example.ids) <= limit:
        assert cut == example


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 3)), min_size=1, max_size=8), st.integers(5, 40))
def test_joined_demonstrations_keep_the_bound_and_whole_outputs(sizes: list[tuple[int, int]], room: int) -> None:
    examples = [Example(tuple([i] * n), (90,), tuple([50 + i] * m), (91,)) for i, (n, m) in enumerate(sizes)]
    found = join(examples, room)
    assert len(found.ids) <= room
    for number, (start, end) in enumerate(found.spans):
        part, example = found.ids[start:end], examples[number]
        assert part[-len(example.predicted) - 1 :] == (*example.predicted, 91)
        whole = part == example.ids
        assert whole or number == found.n_used - 1  # only the last may be cut
    assert found.n_used == len(examples) or len(found.ids) + len(examples[found.n_used].ids) > room or not whole


def test_a_demonstration_beyond_the_window_is_refused_in_one_line() -> None:
    with pytest.raises(UserError, match=r"demonstration 1: its output of 5 tokens exceeds the 4 tokens") as caught:
        join([Example((1,), (), (2,) * 5, ())], 4)
    assert "\n" not in str(caught.value)


def test_groups_share_the_demonstrations_evenly_and_in_order() -> None:
    examples = [Example((i,), (), (50,), ()) for i in range(7)]
    groups = split_groups(examples, 3)
    assert [len(group) for group in groups] == [2, 3, 2]
    assert [one for group in groups for one in group] == examples
    with pytest.raises(UserError, match="groups: 8 batches of 7 demonstrations"):
        split_groups(examples, 8)


def test_formats_are_checked() -> None:
    assert parse_format(format_json()) == FORMAT
    assert parse_formats(f'{{"default": {format_json()}}}') == {"default": FORMAT}
    with pytest.raises(UserError, match="--format: unknown key 'metod' \\(did you mean 'method'\\?\\)"):
        parse_format(format_json().replace('"method"', '"metod"'))
    with pytest.raises(UserError, match="format.method: 'chanel' is not one of direct, channel"):
        dataclasses.replace(FORMAT, method="chanel")
    with pytest.raises(UserError, match="format.max_tokens: 9 leaves no room"):
        dataclasses.replace(FORMAT, max_tokens=9)
    with pytest.raises(UserError, match="format x: max_tokens 48 exceeds the model's window of 40"):
        FORMAT.check_window(40, "x")


def test_perturbed_rows_have_the_fault_that_was_asked_for() -> None:
    rows = task_rows("t", 60, 0)
    assert perturb(rows, "none", 1) == rows
    assert all(row["input"] == "" and row["output"] for row in perturb(rows, "no_input", 1))
    assert all(row["output"] == "" and row["input"] for row in perturb(rows, "no_label", 1))
    wrong = perturb(rows, "wrong_label", 1)
    assert all(a["output"] != b["output"] and b["output"] in a["options"] for a, b in zip(rows, wrong))
    drawn = perturb(rows, "random_label", 1)
    agree = sum(a["output"] == b["output"] for a, b in zip(rows, drawn))
    assert 8 <= agree <= 32  # 60 draws of three labels: 20 expected, three standard deviations
    assert drawn == perturb(rows, "random_label", 1) != perturb(rows, "random_label", 2)


def test_labels_cannot_be_wrong_without_others() -> None:
    with pytest.raises(UserError, match="demonstration 1: 1 options; perturbation 'wrong_label' needs two or more"):
        perturb([{**ROW, "options": ["w50"]}], "wrong_label", 0)
    with pytest.raises(UserError, match="did you mean 'wrong_label'"):
        perturb([ROW], "wrong_labels", 0)


def test_missing_parts_take_no_separator_along() -> None:
    known = encoder()
    labelled, unlabelled = known.example({**ROW, "input": ""}), known.example({**ROW, "output": ""})
    assert labelled.ids == (*known.ids(" w50"), *known.ids(" B"))
    assert unlabelled.ids == (*known.ids("w1 w2"), *known.ids(" B"))
