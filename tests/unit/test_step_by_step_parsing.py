"""What is read of a teacher's raw answers: every quirk of the released parsers, and the strict reading beside it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.common.errors import UserError
from scripts.step_by_step.parsing import FORMATS, Answer, join_target, label_of_output, parse, render

CQA = "R r. So the answer is"
SUM = "R r. The answer is"

# format, raw answer, compatible (PaLM), strict
TABLE = [
    ("cqa", f"{CQA} (b) go home.", Answer("R r.", "go home"), Answer("R r.", "go home")),
    ("cqa", f"{CQA} (b) go home", Answer("R r.", "go home"), Answer("R r.", "go home")),
    ("cqa", f"{CQA} (b) go home. \n\nQ: What?\nA: (c) x.", Answer("R r.", "go home"), Answer("R r.", "go home")),
    ("cqa", f"{CQA} (b) a.. ", Answer("R r.", "a."), Answer("R r.", "a.")),
    ("cqa", f"{CQA} (b) one. (c) two.", Answer("R r.", "one"), Answer("R r.", "one")),
    ("cqa", f"{CQA} unclear.", Answer("R r.", " ", "no_label"), Answer("R r.", "", "no_label")),
    ("cqa", f"{CQA} (b) .", Answer("R r.", ""), Answer("R r.", "", "no_label")),
    ("cqa", "R r. Thus (b) x.", Answer(" ", " ", "no_marker"), Answer("", "", "no_marker")),
    ("cqa", f"{CQA} (a) x. So the answer is (b) y.", Answer(" ", " ", "marker_twice"), Answer("", "", "marker_twice")),
    ("cqa", "So the answer is (b) y.", Answer("", "y"), Answer("", "y")),
    (
        "cqa",
        "See the FAQ: yes. So the answer is (b) y.",
        Answer(" ", " ", "no_marker"),
        Answer("See the FAQ: yes.", "y"),
    ),
    ("cqa", "", Answer(" ", " ", "no_marker"), Answer("", "", "no_marker")),
    ("svamp", f"{SUM} (8 / 2).", Answer("R r.", "(8 / 2)"), Answer("R r.", "(8 / 2)")),
    ("svamp", f"{SUM} ((8 + 1) / 2)", Answer("R r.", "((8 + 1) / 2)"), Answer("R r.", "((8 + 1) / 2)")),
    ("svamp", f"{SUM} (8) and (2).\n\nQ: More", Answer("R r.", "(8) and (2)"), Answer("R r.", "(8) and (2)")),
    ("svamp", f"{SUM} (8\n+ 2)", Answer("R r.", " ", "no_label"), Answer("R r.", "", "no_label")),
    ("svamp", f"{SUM} 4.", Answer("R r.", " ", "no_label"), Answer("R r.", "", "no_label")),
    ("svamp", "R r. 4.", Answer(" ", " ", "no_marker"), Answer("", "", "no_marker")),
    ("asdiv", f"{SUM} (8 / 2).", Answer("R r.", "(8 / 2)"), Answer("R r.", "(8 / 2)")),
    ("esnli", "R r.\nAnswer: neutral\n\nPremise: x", Answer("R r.", "neutral"), Answer("R r.", "neutral")),
    ("esnli", "R r.\nAnswer: neutral\n\nPre", Answer("R r.", "neutral\n\nPre"), Answer("R r.", "neutral")),
    ("esnli", "R r.\nAnswer: entail", Answer("R r.", "entail"), Answer("R r.", "entail")),
    ("esnli", "R r.\nAnswer:neutral", Answer("R r.", " ", "no_marker"), Answer("R r.", "neutral")),
    ("esnli", "R r. x", Answer("R r. x", " ", "no_marker"), Answer("", "", "no_marker")),
    ("esnli", "Answer: neutral", Answer("", "neutral"), Answer("", "neutral")),
    ("anli1", f"{CQA} neutral.\n\nPremise: x", Answer("R r.", "neutral"), Answer("R r.", "neutral")),
    ("anli1", f"{CQA} entailment", Answer("R r.", "entailmen"), Answer("R r.", "entailment")),
    ("anli1", f"{CQA} neutral. ", Answer("R r.", "neutral"), Answer("R r.", "neutral")),
    ("anli1", f"{CQA}", Answer("R r.", "", "no_label"), Answer("R r.", "", "no_label")),
    ("anli1", "R r. It is neutral.", Answer("", "", "no_marker"), Answer("", "", "no_marker")),
    ("generic", f"{CQA} a (b) c.", Answer("R r.", "a (b) c"), Answer("R r.", "a (b) c")),
]


@pytest.mark.parametrize(("name", "output", "compatible", "strict"), TABLE)
def test_table(name, output, compatible, strict):
    assert parse(output, name, "compatible") == compatible
    assert parse(output, name, "strict") == strict


def test_gpt_answers_lose_leading_blanks_and_have_a_second_marker():
    assert parse("  R. So the answer is (a) x.", "cqa", "compatible", "gpt") == Answer("R.", "x")
    assert parse("  R. So the answer is (a) x.", "cqa", "compatible", "palm") == Answer("  R.", "x")
    assert parse("R. The answer is neutral.", "anli1", "compatible", "gpt") == Answer("R.", "neutral")
    assert parse("R. The answer is neutral.", "anli1", "compatible", "palm").fault == "no_marker"


def test_unknown_names_are_refused():
    with pytest.raises(UserError, match=r"format: unknown value 'cqaa' \(did you mean 'cqa'\?\)"):
        parse("", "cqaa", "strict")
    with pytest.raises(UserError, match="parser: unknown value 'lax'"):
        parse("", "cqa", "lax")


WORDS = st.lists(st.sampled_from("tree dog 12 one-half é runs, so".split()), min_size=1, max_size=6).map(" ".join)
FOLLOWERS = {"esnli": "Premise: x\nHypothesis: y\nAnswer: z", "anli1": "Premise: x", "generic": "Input: x"}


@given(st.sampled_from(sorted(FORMATS)), WORDS, WORDS, st.sampled_from("abcde"))
def test_what_is_rendered_is_read_back_whatever_follows(name, rationale, word, letter):
    label = f"({word})" if FORMATS[name].metric == "equation" else word
    output = render(name, rationale, label, letter)
    follower = FOLLOWERS.get(name, "Q: x\nA: y. The answer is (3). So the answer is (a) z.")
    for parser in ("strict", "compatible"):
        assert parse(output, name, parser) == (rationale, label, "")
        assert parse(f"{output}\n\n{follower}", name, parser) == (rationale, label, "")


@given(st.sampled_from(sorted(FORMATS)), WORDS, WORDS)
def test_single_task_targets_end_with_their_label(name, rationale, label):
    target = join_target(name, rationale, label)
    assert target.startswith(rationale)
    assert label_of_output(name, target) == label
    assert label_of_output(name, f"{target} {FORMATS[name].separator} {label} again") == f"{label} again"
    assert label_of_output(name, rationale) == ""


@given(st.text(max_size=80), st.sampled_from(sorted(FORMATS)), st.sampled_from(["strict", "compatible"]))
def test_any_text_gives_an_answer_or_a_fault(text, name, parser):
    answer = parse(text, name, parser)
    assert answer.fault or answer.label or parser == "compatible"


@pytest.mark.parametrize(
    ("name", "split", "palm_accuracy", "n_blank"), [("cqa", "test", 77.23, 0), ("anli1", "test", 65.60, 10)]
)
def test_released_answers(shared, name, split, palm_accuracy, n_blank):
    """Teacher accuracies of the released files; the rest of them are in the tests of step prepare_examples."""
    folder = shared / "data/step_by_step" / name
    outputs = [text for path in sorted(folder.glob(f"llm_{split}_CoT_*.json")) for text in json.loads(path.read_text())]
    from scripts.step_by_step.data import READERS, read_gold

    (gold,) = folder.glob(f"{name}_{split}.json*")
    labels = [row["label"] for row in read_gold([gold], READERS[name])]
    read = [parse(text, name, "compatible").label for text in outputs]
    right = sum(one == label for one, label in zip(read, labels))
    assert len(read) == len(labels)
    assert round(100 * right / len(labels), 2) == palm_accuracy
    assert sum(not label.strip() for label in read) == n_blank
