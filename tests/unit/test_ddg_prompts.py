"""Rounds, wording and parsing of evaluation B, the retrieval baseline and the interval of a share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.common.errors import UserError
from scripts.ddg.intervals import wilson
from scripts.ddg.prompting import read_prompt
from scripts.ddg.rounds import read_n_queries, select_queries, select_rounds
from scripts.selection.bm25 import BM25

PROMPTS = sorted((Path(__file__).resolve().parents[2] / "config" / "prompts" / "ddg").glob("*.yaml"))


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.integers(1, 8))
def test_rounds_are_nested_and_repeat_nothing(labels, rounds):
    more = select_rounds(labels, rounds + 1)
    assert more[: len(select_rounds(labels, rounds))] == select_rounds(labels, rounds)
    assert len(set(more)) == len(more)


def test_a_round_takes_one_of_every_class_in_order_of_first_appearance():
    assert select_rounds([1, 1, 0, 0, 2, 2], 1) == [0, 2, 4]
    assert select_rounds([1, 1, 0, 0, 2, 2], 2) == [0, 2, 4, 1, 3, 5]


def test_a_later_class_stands_in_for_an_exhausted_one():
    # round 2: class 0 is used up, the first later class that has rows is 2; then 1 is used up, then 2 gives its third
    assert select_rounds([0, 1, 2, 2, 2, 2], 2) == [0, 1, 2, 3, 4, 5]
    assert select_rounds([0, 0, 1], 2) == [0, 2, 1]  # the last class has no later one


def test_queries_come_in_turns_and_are_cut():
    labels = [0, 0, 0, 1, 1, 1]
    assert select_queries(labels, 2, 3) == [0, 3, 1]
    assert select_queries(labels, 2, 50) == [0, 3, 1, 4]
    assert select_queries(labels, 1, "full") == list(range(6))
    assert (read_n_queries("50"), read_n_queries("full")) == (50, "full")
    for text in ("0", "-1", "all", "2.5"):
        with pytest.raises(UserError, match="expected a whole number above 0, or 'full'"):
            read_n_queries(text)


@pytest.mark.parametrize("path", PROMPTS, ids=lambda path: path.stem)
def test_openings_make_up_a_demonstration(path):
    prompt = read_prompt(path)
    columns, text = (("a", "b"), ("one two", "three")) if "{first}" in prompt.demonstration else (("a",), ("one two",))
    shown, written = prompt.shown(columns, text, "L"), ""
    for (lead, ends), part in zip(prompt.openings(columns), text, strict=True):
        written += lead + part
        assert shown.startswith(written)
        assert any(shown[len(written) :].lstrip(" ").startswith(end) for end in ends)
    assert prompt.unanswered(columns, text) + prompt.answer in (
        prompt.asked(columns, text),
        prompt.asked(columns, text) + prompt.answer,
    )


def test_a_demonstration_that_begins_with_its_label_has_no_openings(tmp_path):
    content = PROMPTS[0].read_text(encoding="utf-8").replace("{columns}", "{label} {columns}", 1)
    (tmp_path / "prompt.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match="does not show a and then the label"):
        read_prompt(tmp_path / "prompt.yaml").openings(("a",))


@pytest.mark.parametrize("path", PROMPTS, ids=lambda path: path.stem)
@pytest.mark.parametrize("label", ["positive", "Refund_not_showing_up", "very negative", "Sci/Tech"])
def test_answers_are_read_back_in_every_prompt(path, label):
    prompt = read_prompt(path)
    columns, text = (("first", "second"), ("one two", "three four"))
    if "{first}" not in prompt.demonstration:
        columns, text = ("text",), ("one two",)
    right = prompt.plain(label)
    shown = prompt.shown(columns, text, label)
    begin = prompt.asked(columns, text).rstrip(" ")
    assert shown.startswith(begin) or "{first}" in prompt.demonstration
    tail = shown[len(begin) :] if shown.startswith(begin) else prompt.answer + label + "\n"
    for written in (tail, tail.upper().replace(prompt.field.upper(), prompt.field), tail + shown + shown):
        assert prompt.read(written, columns, text) == right
    assert prompt.read("", columns, text) != right
    assert prompt.read(begin + tail, columns, text) == right  # a model that repeats the query first


@pytest.mark.parametrize(
    ("name", "written", "right"),
    [  # what LongICLBench's script for such a task makes of it, by hand
        ("single", "\nintent category: positive intent category: negative", "positive"),  # up to the second field
        ("single", "\nintent category: positive service query: x", "positive"),
        ("single", " positive service query: x", "positive service query: x"),  # not cut without the field
        ("single", " one two\nintent category: x one two\nintent category: negative", "negative"),  # last mention
        ("single", "\nintent category: positive\u2028or so", "positive\u2028or so"),  # lines end at line feeds only
        ("pair", "\nintent category: it's “Equal”.", "it's equal"),  # curly quotes go, apostrophes stay
    ],
)
def test_odd_answers_are_read_as_in_longiclbench(name, written, right):
    prompt = read_prompt(PROMPTS[0].parent / f"{name}.yaml")
    columns, text = (["first", "second"], ["zero", "one two"]) if name == "pair" else (["text"], ["one two"])
    assert prompt.read(written, columns, text) == right


def test_full_stops_count_in_single_texts_only():
    single, pair = (read_prompt(PROMPTS[0].parent / f"{name}.yaml") for name in ("single", "pair"))
    assert single.read("\nintent category: positive.\n", ["text"], ["one two"]) != "positive"
    assert pair.read('\nintent category: "Equal".\n', ["first", "second"], ["one", "two"]) == "equal"


def test_braces_in_a_text_stay_text():
    prompt = read_prompt(PROMPTS[0].parent / "single.yaml")
    assert "{label} {text}" in prompt.shown(["text"], ["{label} {text}"], "positive")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"demonstration": "{text}"}, "demonstration must hold {label} and end with a line break"),
        ({"extra": "x"}, "unknown key 'extra'"),
        ({"query": None}, "key 'query' is missing or no str"),
    ],
)
def test_faults_of_a_prompt_file_are_one_line(tmp_path, change, message):
    import yaml

    content = yaml.safe_load((PROMPTS[0].parent / "single.yaml").read_text(encoding="utf-8"))
    (tmp_path / "own.yaml").write_text(yaml.safe_dump({**content, **change}), encoding="utf-8")
    with pytest.raises(UserError, match="own.yaml: .*" + message.replace("{", r"\{")):
        read_prompt(tmp_path / "own.yaml")


def test_a_place_without_value_names_the_template():
    with pytest.raises(UserError, match=r"no value for \{first\}"):
        read_prompt(PROMPTS[0].parent / "pair.yaml").asked(["text"], ["x"])


def test_bm25_finds_shared_rare_words():
    texts = ["the cat sat", "the dog sat on the mat", "a bird"]
    index = BM25(texts)
    assert index.nearest("Dog!", 1) == [1]
    assert index.nearest("bird the", 1) == [2]  # `the` is common, `bird` is rare
    assert index.nearest("nothing known", 3) == [0, 1, 2]
    np.testing.assert_allclose(index.scores("cat"), [index.scores("cat")[0], 0, 0])
    by_hand = np.log1p((3 - 1 + 0.5) / 1.5) * 2.5 / (1 + 1.5 * (0.25 + 0.75 * 3 / (11 / 3)))
    assert index.scores("cat")[0] == pytest.approx(by_hand, rel=1e-6)


def test_wilson_interval():
    low, high = wilson(40, 50)
    assert (round(low, 3), round(high, 3)) == (0.67, 0.888)
    assert wilson(0, 10)[0] == 0.0
    assert wilson(10, 10)[1] == 1.0
    with pytest.raises(ValueError, match="no share"):
        wilson(3, 0)
