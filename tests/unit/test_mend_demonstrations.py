"""How demonstrations become tokens: parts, separators, cutting, joining, perturbing."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.common.errors import UserError
from scripts.mend import demonstrations
from scripts.mend.demonstrations import (
    Encoder,
    Example,
    PromptFormat,
    cut_example,
    cut_left,
    hide,
    join,
    join_for_distiller,
    join_for_llm,
    parse_format,
    parse_formats,
    split_groups,
)
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
        ({"method": "channel"}, " out Ain B", " out A"),
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


@given(st.integers(0, 12), st.integers(0, 4), st.integers(1, 12), st.integers(0, 2), st.integers(4, 16))
def test_a_cut_example_fits_and_keeps_its_output(given_: int, between: int, predicted: int, after: int, limit: int):
    example = Example(tuple(range(given_)), (90,) * between, tuple(range(50, 50 + predicted)), (91,) * after)
    cut = cut_example(example, limit)
    room = limit - max(2, between)
    assert len(cut.given) + len(cut.predicted) <= max(room, 1)
    assert cut.predicted == example.predicted[: max(1, room)]
    assert cut.given == example.given[: len(cut.given)]
    assert (cut.between, cut.after) == (example.between, example.after)
    if given_ + predicted <= room:
        assert cut == example


@pytest.mark.parametrize(
    ("task", "lengths", "limit", "cut"),
    [
        ("t", (20, 6), 26, (18, 6)),  # 24 of 26: two tokens stay free
        ("t", (20, 6), 28, (20, 6)),
        ("t", (20, 6), 27, (19, 6)),
        ("t", (300, 5), 256, (249, 5)),  # 254 of 256
        ("t", (3, 40), 26, (0, 24)),  # an output beyond the limit is cut; both releases stop with an error
        ("inst:other", (6, 40), 26, (6, 18)),  # with instructions the longer part is cut
        ("inst:other", (40, 6), 26, (18, 6)),
        ("inst:piqa", (40, 40), 26, (13, 11)),  # half the limit, half the limit less two
        ("inst:piqa", (10, 14), 26, (10, 14)),
    ],
)
@pytest.mark.parametrize("channel", [False, True])
def test_examples_are_cut_as_in_the_releases(
    task: str, lengths: tuple[int, int], limit: int, cut: tuple[int, int], channel: bool
) -> None:
    text, output = (tuple(range(n)) for n in lengths)
    example = Example(output, (), text, ()) if channel else Example(text, (), output, ())
    found = cut_example(example, limit, channel, task)
    parts = (found.predicted, found.given) if channel else (found.given, found.predicted)
    assert parts == (text[: cut[0]], output[: cut[1]])


def run_of(lengths: list[tuple[int, int]]) -> list[Example]:
    """Return examples of so many input and output tokens, each of its own token."""
    return [Example((i,) * n, (), (50 + i,) * m, ()) for i, (n, m) in enumerate(lengths)]


@pytest.mark.parametrize(
    ("lengths", "room", "total", "n_used"),
    [
        ([(12, 5), (16, 5), (27, 5), (13, 5)], 75, 70, 3),  # 17, 21, 32: 70; the fourth's output would fill the room
        ([(12, 5), (16, 5), (27, 5), (13, 4)], 75, 74, 4),  # its output of 4 stays below 75, none of its input does
        ([(12, 5), (16, 5), (27, 5), (13, 2)], 75, 74, 4),  # with two tokens of its input it ends one before the room
        ([(12, 5), (16, 5)], 39, 38, 2),
        ([(12, 5), (16, 5)], 38, 37, 2),  # a total of 38 is not below 38
        ([(200, 5)], 75, 74, 1),
    ],
)
def test_demonstrations_stay_below_their_room(
    lengths: list[tuple[int, int]], room: int, total: int, n_used: int
) -> None:
    found = join(run_of(lengths), room)
    assert (len(found.ids), found.n_used) == (total, n_used)
    last = lengths[n_used - 1][1]
    assert found.ids[-last:] == (50 + n_used - 1,) * last  # outputs survive


def test_a_label_that_is_not_shown_counts_where_a_demonstration_is_cut() -> None:
    shown, long = run_of([(12, 5), (40, 6)])
    assert len(join([shown, hide(long, "output")], 75).ids) == 57
    assert len(join([shown, hide(long, "output")], 50).ids) == 17 + (50 - 17 - 6 - 1)
    assert join([shown, hide(long, "output")], 23).ids == shown.ids
    assert hide(long, "input") == Example((), (), (51,) * 6, ())
    assert hide(Example((1, 2), (3,), (4,), (5,)), "output", channel=True) == Example((), (), (4,), (5,), 2)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 3)), min_size=1, max_size=8), st.integers(6, 40))
def test_joined_demonstrations_keep_the_bound_and_whole_outputs(sizes: list[tuple[int, int]], room: int) -> None:
    examples = [Example(tuple([i] * n), (90,), tuple([50 + i] * m), (91,)) for i, (n, m) in enumerate(sizes)]
    found = join(examples, room)
    assert len(found.ids) < room
    for number, (start, end) in enumerate(found.spans):
        part, example = found.ids[start:end], examples[number]
        assert part[-len(example.predicted) - 1 :] == (*example.predicted, 91)
        whole = part == example.ids
        assert whole or number == found.n_used - 1  # only the last may be cut
    assert found.n_used == len(examples) or len(found.ids) + len(examples[found.n_used].ids) >= room or not whole


def test_a_demonstration_beyond_the_window_is_refused_in_one_line() -> None:
    with pytest.raises(UserError, match=r"demonstration 1: its output of 5 tokens exceeds the 4 tokens") as caught:
        join([Example((1,), (), (2,) * 5, ())], 5)
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
    with pytest.raises(UserError, match="format.separators: unknown value 'newlines'"):
        dataclasses.replace(FORMAT, separators="newlines")
    with pytest.raises(UserError, match="format.separators: 'metaicl_blanks' has its own text between parts"):
        dataclasses.replace(FORMAT, separators="metaicl_blanks")
    with pytest.raises(UserError, match="format.room: unknown value 'metalic'"):
        dataclasses.replace(FORMAT, room="metalic")
    with pytest.raises(UserError, match="format.max_example_tokens: 3 is below 4"):
        dataclasses.replace(FORMAT, max_example_tokens=3)
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


METAICL = PromptFormat("direct", "", "", False, 40, 200, 200, "metaicl_newlines", "metaicl")
THREE = [
    {"task": "t", "input": "in", "output": "yes", "options": ["yes", "no"]},
    {"task": "t", "input": "", "output": "no", "options": ["yes", "no"]},
    {"task": "t", "input": "ask", "output": "no", "options": ["yes", "no"]},
]


@pytest.mark.parametrize(
    ("changes", "rows", "shown", "query", "option"),
    [
        ({}, THREE, "in\nyes\n\n\nno", "\n\n\nask", "\nno"),
        ({"method": "channel"}, THREE, "yes\nin\n\n\nno", "\n\n\nno", "\nask"),
        ({"separators": "metaicl_blanks"}, THREE, "in yes  no", " ask", " no"),
        ({"method": "channel", "separators": "metaicl_blanks"}, THREE, "yes in no ", " no", " ask"),
        # without labels nothing stands before the output
        ({}, [{**row, "options": []} for row in THREE], "inyes\n\nno", "\n\n\nask", "no"),
        ({"method": "channel"}, [{**row, "options": []} for row in THREE], "yesin\n\n\nno", "\n\n\nno", "ask"),
        # MEND: nothing between, a blank before outputs
        ({"separators": "apart", "output_space": True}, THREE, "in yes no", "ask", " no"),
        ({"method": "channel", "separators": "apart", "output_space": True}, THREE, " yesin no", " no", "ask"),
    ],
)
def test_separators_are_those_of_the_releases(
    changes: dict[str, Any], rows: list[dict[str, Any]], shown: str, query: str, option: str
) -> None:
    known = Encoder(Letters(), dataclasses.replace(METAICL, **changes))
    assert text_of(join_for_llm(known.examples(rows[:2]), known.form).ids) == shown
    asked = known.query(rows[2])
    assert (text_of(asked.query), text_of(asked.predicted)) == (query, option)
    whole = known.asked({**rows[2], "options": ["yes", "no"]}, ["yes", "no"])[1] if rows is THREE else asked
    assert (text_of(whole.query), text_of(whole.predicted)) == (query, option)


def test_the_first_text_of_a_prompt_takes_no_separator() -> None:
    for changes, alone in (({}, "ask"), ({"method": "channel"}, "no"), ({"separators": "metaicl_blanks"}, "ask")):
        known = Encoder(Letters(), dataclasses.replace(METAICL, **changes))
        assert text_of(known.query(THREE[2], first=True).query) == alone
        assert text_of(known.asked(THREE[2], ["yes", "no"], first=True)[1].query) == alone
        assert text_of(known.example(THREE[2]).given) == alone


def test_metaicl_reads_all_demonstrations_and_mend_those_that_fit() -> None:
    rows = [{"task": "t", "input": "x" * 20, "output": "yes", "options": ["yes", "no"]}] * 12
    for room, expected in (("metaicl", 24 + 11 * 27), ("mend", 158)):
        form = dataclasses.replace(METAICL, room=room)
        known = Encoder(Letters(), form)
        assert len(join_for_llm(known.examples(rows), form).ids) == expected
        assert len(join_for_distiller(known.examples(rows), form).ids) == 158  # 200 - 40 - 1 - 1
    assert cut_left((1, 2, 3), 2) == (2, 3)
    assert cut_left((1, 2, 3), 5) == (1, 2, 3)
    assert cut_left((1, 2, 3), 0) == cut_left((1, 2, 3), -1) == ()


@pytest.mark.parametrize(("room", "kept"), [("mend", 40 - 2 - 4), ("metaicl", 40 - 2 - 11)])
def test_a_query_is_cut_alike_for_all_its_options(room: str, kept: int) -> None:
    row = {"task": "t", "input": "x" * 60, "output": "yes", "options": ["yes", "certainly!"]}
    form = PromptFormat("direct", "", "", True, 40, 200, 200, "apart", room)
    asked = Encoder(Letters(), form).asked(row, row["options"])
    assert [len(one.given) for one in asked] == [kept, kept]  # by its answer of 4 letters, or by the longest option
    assert [text_of(one.predicted) for one in asked] == [" yes", " certainly!"]


def test_options_are_cut_by_what_stands_before_them() -> None:
    row = {"task": "t", "input": "ask", "output": "yes", "options": ["yes", "certainly!"]}
    form = PromptFormat("direct", "", "", True, 40, 200, 200)
    known = Encoder(Letters(), form)

    def options(shown: int) -> list[str]:
        return [text_of(one.predicted) for one in known.asked(row, row["options"], shown=shown)]

    assert options(175) == [" yes", " certainly!"]  # 200 - 178 = 22 tokens are left, twice the longer option
    assert options(177) == [" yes", " certainl"]  # 20 left, less the option's own 11
    assert options(186) == [" yes", " "]  # nothing would be left: one token stays
    assert options(190) == [" ye", " certai"]  # 7 - 4 = 3; below 0 the release counts from the end: 7 - 11 = -4, 7 left
